package answer

import (
	"math/rand/v2"
	"reflect"
	"runtime"
	"testing"
	"time"

	"github.com/tokengrove/grove/fsm/token"
)

// TestBook compares a book with a list that is searched from end to end.
func TestBook(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	b, now := New(), token.Instant(1)
	var list []Record
	keep := func(ok func(*Record) bool) {
		var left []Record
		for i := range list {
			if ok(&list[i]) {
				left = append(left, list[i])
			}
		}
		list = left
	}
	for step := range 4000 {
		now = now.Add(time.Duration(r.IntN(int(2 * time.Minute))))
		h := token.Hash{byte(1 + r.IntN(12))}
		k := Key{byte(r.IntN(8))}
		switch n := r.IntN(100); {
		case n < 70:
			rec := Record{Caller: h, Accessor: token.Accessor(h[:1]), Key: k, At: now, Result: make([]byte, r.IntN(9))}
			if b.Find(h, k, now) == nil && (len(list) == 0 || !deadCaller(list, h)) {
				keep(func(o *Record) bool { return o.Caller != h || o.Key != k })
				b.Add(rec)
				list = append(list, rec)
			}
		case n < 73:
			b.Drop(h)
			keep(func(o *Record) bool { return o.Caller != h })
		case n < 76:
			b.Died(h)
			keep(func(o *Record) bool { return o.Caller != h || o.Remains != nil })
		case n < 79:
			m := Remains{Path: []string{"a", "a/b", "ab"}[r.IntN(3)], Final: r.IntN(3) == 0}
			b.Outlive(h, m)
			for i := range list {
				if list[i].Caller == h {
					list[i].Remains = &m
				}
			}
		case n < 81:
			b.Forget(token.Hash{}, token.Accessor(h[:1]))
			keep(func(o *Record) bool { return o.Caller != h || !o.mayBeRevoked() })
		case n < 82:
			b.ForgetBelow("a")
			keep(func(o *Record) bool { return !o.mayBeRevoked() || o.Remains.Path == "ab" })
		case n < 90:
			b.Sweep(now, 1000)
			keep(func(o *Record) bool { return !o.Expired(now) })
		}
		if err := b.Check(now); err != nil {
			t.Fatalf("step %d: %v", step, err)
		}
		compareBook(t, step, b, list)
	}
}

func deadCaller(list []Record, h token.Hash) bool {
	for i := range list {
		if list[i].Caller == h && list[i].Remains != nil {
			return true
		}
	}
	return false
}

func compareBook(t *testing.T, step int, b *Book, want []Record) {
	t.Helper()
	var got []Record
	for _, r := range b.Freeze() {
		if r != nil {
			got = append(got, *r)
		}
	}
	if len(got) != len(want) || (len(got) > 0 && !reflect.DeepEqual(got, want)) {
		t.Fatalf("step %d: %d records, want %d, or others", step, len(got), len(want))
	}
}

// TestGapsAreClosed: callers that come and go leave nothing behind an old record.
func TestGapsAreClosed(t *testing.T) {
	t.Parallel()
	b := New()
	b.Add(Record{Caller: token.Hash{1}, At: 1})
	for i := range 10_000 {
		h := token.Hash{2, byte(i), byte(i >> 8), byte(i >> 16)}
		b.Add(Record{Caller: h, At: 2})
		b.Drop(h)
	}
	if err := b.Check(2); err != nil {
		t.Fatal(err)
	}
	if len(b.queue) > 2*minGaps {
		t.Errorf("a queue of %d for one record", len(b.queue))
	}
	if b.Find(token.Hash{1}, Key{}, 2) == nil {
		t.Error("the old record is gone")
	}
}

// TestSweepIsBounded: what is over is not found, and leaves in steps.
func TestSweepIsBounded(t *testing.T) {
	t.Parallel()
	b := New()
	for i := range 10 {
		b.Add(Record{Caller: token.Hash{1}, Key: Key{byte(i)}, At: 1})
	}
	late := token.Instant(1).Add(Lifetime)
	if b.Find(token.Hash{1}, Key{3}, late-1) == nil || b.Find(token.Hash{1}, Key{3}, late) != nil {
		t.Error("a record is not found for exactly its lifetime")
	}
	b.Sweep(late-1, 100)
	if b.Len() != 10 {
		t.Errorf("%d left before their time, want 10", b.Len())
	}
	b.Sweep(late, 4)
	if b.Len() != 6 {
		t.Errorf("%d left, want 6", b.Len())
	}
	b.Sweep(late, 100)
	if b.Len() != 0 || b.Bytes() != 0 || len(b.callers) != 0 {
		t.Errorf("%d left with %d bytes of %d callers", b.Len(), b.Bytes(), len(b.callers))
	}
}

func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	b := New()
	if err := b.Restore(Record{Caller: token.Hash{1}, At: 5}); err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]Record{"an older one": {Caller: token.Hash{2}, At: 4}, "the same key": {Caller: token.Hash{1}, At: 6}} {
		if b.Restore(r) == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestFullCaller(t *testing.T) {
	t.Parallel()
	b := New()
	h := token.Hash{1}
	for i := 0; !b.CallerFull(h); i++ {
		b.Add(Record{Caller: h, Key: Key{byte(i), byte(i >> 8)}, At: 1})
	}
	if b.Len() != MaxKeys || b.CallerFull(token.Hash{2}) || b.Full() {
		t.Errorf("full with %d records", b.Len())
	}
	b.Add(Record{Caller: token.Hash{2}, At: 1, Memo: make([]byte, CallerBytes)})
	if !b.CallerFull(token.Hash{2}) {
		t.Error("not full with all its bytes")
	}
	b.bytes = TotalBytes
	if !b.Full() {
		t.Error("the book is not full")
	}
}

// BenchmarkRecord reports what a record occupies, and what Bytes says of it: of callers with one each, and of
// callers with a thousand.
func BenchmarkRecord(b *testing.B) {
	for name, each := range map[string]int{"callers of 1": 1, "callers of 1000": 1000} {
		b.Run(name, func(b *testing.B) {
			const n = 20_000
			for b.Loop() {
				before := heap()
				book := New()
				for i := range n {
					c := i / each
					book.Add(Record{
						Caller: token.Hash{byte(c), byte(c >> 8), byte(c >> 16)}, Accessor: token.Accessor(make([]byte, 24)),
						Key: Key{byte(i), byte(i >> 8), byte(i >> 16)}, At: 1, Memo: make([]byte, 100), Result: make([]byte, 250),
					})
				}
				b.ReportMetric(float64(heap()-before)/n, "B/record")
				b.ReportMetric(float64(book.Bytes())/n, "counted-B/record")
			}
		})
	}
}

func heap() uint64 {
	var s runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}
