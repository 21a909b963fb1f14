package forest

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/tokengrove/grove/fsm/token"
)

const benchTokens = 1_000_000

// grown returns a forest of n tokens with deadlines, in trees of depth four.
func grown(tb testing.TB, n int) *Forest {
	tb.Helper()
	f := New()
	rec := plain(0, "auth/token/create", 0)
	var parent Ref
	for i := range n {
		rec.Hash, rec.Accessor, rec.Deadline = hashOf(i), accessorOf(i), token.Instant(1e15+i)
		r, err := f.Insert(rec, parent)
		if err != nil {
			tb.Fatal(err)
		}
		if parent = r; i%4 == 3 {
			parent = 0
		}
	}
	return f
}

func heapBytes() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkMemory reports what one plain token occupies, with all indexes.
func BenchmarkMemory(b *testing.B) {
	for _, n := range []int{700_000, 1_000_000, 1_300_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				before := heapBytes()
				f := grown(b, n)
				b.ReportMetric(float64(heapBytes()-before)/float64(n), "B/token")
				runtime.KeepAlive(f)
			}
		})
	}
}

func BenchmarkInsert(b *testing.B) {
	f := grown(b, benchTokens)
	rec := plain(0, "auth/token/create", 0)
	n := benchTokens
	b.ReportAllocs()
	for b.Loop() {
		rec.Hash, rec.Deadline = hashOf(n), token.Instant(2e15+n)
		rec.Accessor = accessorOf(n)
		n++
		if _, err := f.Insert(rec, 0); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	f := grown(b, benchTokens)
	rnd := rand.New(rand.NewPCG(1, 2))
	b.ReportAllocs()
	for b.Loop() {
		f.Find(hashOf(rnd.IntN(benchTokens)))
	}
}

func BenchmarkAlive(b *testing.B) {
	for _, pending := range []bool{false, true} {
		b.Run(fmt.Sprint("pending=", pending), func(b *testing.B) {
			f := grown(b, benchTokens)
			rnd := rand.New(rand.NewPCG(1, 2))
			if pending {
				f.Revoke(f.Find(hashOf(0)))
			}
			refs := make([]Ref, 0, benchTokens)
			f.Walk(func(r Ref) bool { refs = append(refs, r); return true })
			b.ReportAllocs()
			for b.Loop() {
				f.Alive(refs[rnd.IntN(len(refs))], 1)
			}
		})
	}
}

func BenchmarkRecord(b *testing.B) {
	f := grown(b, 1000)
	r := f.Find(hashOf(7))
	b.ReportAllocs()
	for b.Loop() {
		f.Record(r)
	}
}

func BenchmarkRenew(b *testing.B) {
	f := grown(b, benchTokens)
	rnd := rand.New(rand.NewPCG(1, 2))
	now := token.Instant(2e15)
	b.ReportAllocs()
	for b.Loop() {
		now++
		f.Renew(f.Find(hashOf(rnd.IntN(benchTokens))), now, now-1, 1)
	}
}

// BenchmarkRevoke kills trees of four; of a million it would cost the same.
func BenchmarkRevoke(b *testing.B) {
	var f *Forest
	n := benchTokens
	b.ReportAllocs()
	for b.Loop() {
		if n == benchTokens {
			b.StopTimer()
			f, n = grown(b, benchTokens), 0
			b.StartTimer()
		}
		f.Revoke(f.Find(hashOf(n)))
		n += 4
	}
}

// BenchmarkReclaim is the cost of one dead token, in trees of several shapes.
func BenchmarkReclaim(b *testing.B) {
	for name, shape := range map[string]func(int) int{
		"star": star, "chain": chain, "binary": func(i int) int { return (i+1)/2 - 1 },
	} {
		b.Run(name, func(b *testing.B) {
			var f *Forest
			for b.Loop() {
				if f == nil || !f.Pending() {
					b.StopTimer()
					var refs []Ref
					f, refs = shaped(b, benchTokens, shape)
					f.Revoke(refs[0])
					b.StartTimer()
				}
				f.Reclaim(1)
			}
		})
	}
}

func BenchmarkExpire(b *testing.B) {
	var f *Forest
	for b.Loop() {
		if f == nil || f.NextDeadline() == 0 {
			b.StopTimer()
			f = grown(b, benchTokens)
			b.StartTimer()
		}
		f.Expire(3e15, 1)
	}
}

// BenchmarkFreeze is the pause that a snapshot makes.
func BenchmarkFreeze(b *testing.B) {
	f := grown(b, benchTokens)
	for b.Loop() {
		f.Freeze()
	}
}

// BenchmarkAfterFreeze is the first write to a page after a snapshot.
func BenchmarkAfterFreeze(b *testing.B) {
	f := grown(b, benchTokens)
	r := Ref(1)
	f.Freeze()
	for b.Loop() {
		f.Charge(r)
		if r += pageSize; r >= benchTokens {
			r = 1
			f.Freeze()
		}
	}
}

func BenchmarkRestore(b *testing.B) {
	z := grown(b, benchTokens).Freeze()
	for b.Loop() {
		builder := NewBuilder()
		if err := builder.Header(z.Header()); err != nil {
			b.Fatal(err)
		}
		if err := z.Tokens(builder.Add); err != nil {
			b.Fatal(err)
		}
		if _, err := builder.Finish(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchTokens, "ns/token")
}

func BenchmarkCheck(b *testing.B) {
	f := grown(b, benchTokens)
	for b.Loop() {
		if err := f.Check(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchTokens, "ns/token")
}
