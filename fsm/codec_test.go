package fsm

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tokengrove/grove/fsm/answer"
	"github.com/tokengrove/grove/fsm/mount"
	"github.com/tokengrove/grove/fsm/token"
)

var update = flag.Bool("update", false, "rewrite golden files")

// fill sets every field reachable from v to a value that is not its zero, from a
// counter, so that a field which the codec forgets makes the round trip fail.
func fill(v reflect.Value, n *int) {
	if leaveOut != nil && leaveOut(v.Type()) {
		return
	}
	*n++
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.String:
		v.SetString(fmt.Sprintf("s%d", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(*n % 200))
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(v.Index(i), n)
		}
	case reflect.Map:
		k, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(k, n)
		fill(e, n)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(k, e)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	default:
		panic("fill: " + v.Kind().String())
	}
}

// later are parts that records got after kinds which hold these records: the older kinds never carry
// them, and their bytes stay what they were.
var later = map[reflect.Type]Kind{
	reflect.TypeFor[mount.Tuning](): KindEnableMount,
	reflect.TypeFor[token.Login]():  KindTransact,
}

func filled(k Kind) Command {
	switch k {
	case KindOnce:
		return filledOnce()
	case KindByBatch:
		return filledByBatch()
	}
	c := catalogue[k]()
	n := int(k)
	leaveOut = func(t reflect.Type) bool { return k < later[t] }
	defer func() { leaveOut = nil }()
	fill(reflect.ValueOf(c).Elem(), &n)
	return c
}

// leaveOut is what fill does not fill; nil: nothing.
var leaveOut func(reflect.Type) bool

// filledOnce has a command inside, which no filling by reflection would give.
func filledOnce() Command {
	c, err := NewOnce(answer.Key{1, 2}, answer.Digest{3, 4}, []byte("memo"), filled(KindCreateToken))
	if err != nil {
		panic(err)
	}
	return c
}

// filledByBatch likewise. Its command has no caller.
func filledByBatch() Command {
	b := new(BatchToken)
	n := int(KindByBatch)
	fill(reflect.ValueOf(b).Elem(), &n)
	c, err := NewByBatch(b, &PutPolicy{Caller: Caller{Epoch: 3}})
	if err != nil {
		panic(err)
	}
	return c
}

func kinds() []Kind {
	var ks []Kind
	for k := range catalogue {
		ks = append(ks, k)
	}
	slices.Sort(ks)
	return ks
}

func TestCommandRoundTrip(t *testing.T) {
	for _, k := range kinds() {
		want := filled(k)
		if want.Kind() != k {
			t.Errorf("catalogue kind %d makes %T of kind %d", k, want, want.Kind())
		}
		_, body, err := EncodeCommand(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeCommand(k, body)
		if err != nil {
			t.Fatalf("%T: %v", want, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%T:\n got %+v\nwant %+v", want, got, want)
		}
	}
}

// TestHostileCommands: what the edge lets through must never stop the nodes, and what could
// is refused before it is proposed.
func TestHostileCommands(t *testing.T) {
	want := &RevokePrefix{Prefix: "a\xff\xfe\x00"}
	k, body, err := EncodeCommand(want)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := DecodeCommand(k, body); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("bytes that are no UTF-8: %+v, %v", got, err)
	}
	huge := &CreateToken{Token: token.Record{Policies: make([]string, 1<<20+1)}}
	var e *Error
	if _, _, err := EncodeCommand(huge); !errors.As(err, &e) || e.Code != Invalid {
		t.Errorf("a list that no decoder takes: %v, want Invalid", err)
	}
}

func TestResultRoundTrip(t *testing.T) {
	want := make([]Result, 2)
	n := 0
	fill(reflect.ValueOf(&want[0]).Elem(), &n)
	b, err := AppendResults(nil, want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeResults(b)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
}

// TestGoldenKinds holds the bytes of every command for ever: a log that an older build wrote
// must decode to the same command.
func TestGoldenKinds(t *testing.T) {
	const file = "testdata/kinds.golden"
	var now bytes.Buffer
	for _, k := range kinds() {
		_, body, err := EncodeCommand(filled(k))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&now, "%d %s\n", k, hex.EncodeToString(body))
	}
	if *update {
		if err := os.WriteFile(file, now.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	seen := 0
	for sc := bufio.NewScanner(f); sc.Scan(); seen++ {
		var k Kind
		var text string
		if _, err := fmt.Sscanf(sc.Text(), "%d %s", &k, &text); err != nil {
			t.Fatal(err)
		}
		body, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeCommand(k, body)
		if err != nil || !reflect.DeepEqual(got, filled(k)) {
			t.Errorf("kind %d: golden bytes decode to %+v, %v", k, got, err)
		}
	}
	if seen != len(catalogue) {
		t.Errorf("%d golden kinds, the catalogue has %d: run scripts/golden", seen, len(catalogue))
	}
}

func sampleEntry() Entry {
	return Entry{At: 1234567890123456789, Groups: []Group{
		{Session: SessionID{1, 2}, Low: 300, Items: []Item{{Seq: 301, Kind: KindTick, Body: []byte{0xa0}}, {Seq: 302, Kind: KindTick, Body: []byte{0xa0}}}},
		{Items: []Item{{Kind: KindTick, Body: []byte{0xa0}}}},
	}}
}

func TestEntryRoundTrip(t *testing.T) {
	want := sampleEntry()
	b := AppendEntry(nil, want)
	got, err := DecodeEntry(b)
	for _, g := range got.Groups {
		for i := range g.Items {
			it := &g.Items[i]
			if body := b[it.at : it.at+len(it.Body)]; !bytes.Equal(body, it.Body) {
				t.Errorf("item %d is said to be at %d, where %x is, not %x", it.Seq, it.at, body, it.Body)
			}
			it.at = 0
		}
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
}

func TestEntryUnknownVersion(t *testing.T) {
	b := AppendEntry(nil, sampleEntry())
	b[0] = EntryVersion + 1
	_, err := DecodeEntry(b)
	if err == nil || errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "unknown entry version 2") {
		t.Errorf("got %v, want an unknown-version error that is not ErrCorrupt", err)
	}
}

func TestEntryCorrupt(t *testing.T) {
	b := AppendEntry(nil, sampleEntry())
	for n := range b {
		if _, err := DecodeEntry(b[:n]); !errors.Is(err, ErrCorrupt) {
			t.Errorf("first %d bytes: got %v, want ErrCorrupt", n, err)
		}
	}
	if _, err := DecodeEntry(append(b, 0)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("one byte more: got %v, want ErrCorrupt", err)
	}
}

func TestApplyStops(t *testing.T) {
	tick := Item{Kind: KindTick, Body: []byte{0xa0}}
	for name, it := range map[string]Item{
		"unknown kind":  {Kind: 9999, Body: []byte{0xa0}},
		"unknown field": {Kind: KindUseToken, Body: []byte{0xa1, 0x18, 0x63, 0x01}},
		"wrong type":    {Kind: KindRevokePrefix, Body: []byte{0xa1, 0x02, 0x01}},
		"not CBOR":      {Kind: KindTick, Body: []byte{0xff}},
		"once of once":  {Kind: KindOnce, Body: []byte{0xa2, 0x04, 0x18, 0x5a, 0x05, 0x41, 0xa0}},
		"once of none":  {Kind: KindOnce, Body: []byte{0xa2, 0x04, 0x19, 0x27, 0x0f, 0x05, 0x41, 0xa0}},
		"no caller":     {Kind: KindOnce, Body: []byte{0xa2, 0x04, 0x03, 0x05, 0x41, 0xa0}},
	} {
		t.Run(name, func(t *testing.T) {
			m := New()
			entry := AppendEntry(nil, Entry{At: 5, Groups: []Group{{Items: []Item{tick, it}}}})
			if _, err := m.Apply(1, entry); err == nil {
				t.Fatal("applied, want an error")
			}
			if m.Index() != 0 || m.Now(0) != 0 {
				t.Errorf("index %d time %d after a bad entry, want nothing changed", m.Index(), m.Now(0))
			}
		})
	}
	m := New()
	if _, err := m.Apply(7, AppendEntry(nil, Entry{At: 5})); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Apply(7, AppendEntry(nil, Entry{At: 5})); err == nil {
		t.Error("the same index applied twice, want an error")
	}
}

func FuzzDecodeEntry(f *testing.F) {
	f.Add(AppendEntry(nil, sampleEntry()))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := DecodeEntry(b)
		if err != nil {
			return
		}
		again, err := DecodeEntry(AppendEntry(nil, e))
		if err != nil || !reflect.DeepEqual(again, e) {
			t.Errorf("encoded again: %+v, %v\nwant %+v", again, err, e)
		}
		for _, g := range e.Groups {
			for _, it := range g.Items {
				DecodeCommand(it.Kind, it.Body) // must not panic
			}
		}
	})
}

func FuzzDecodeResults(f *testing.F) {
	b, _ := AppendResults(nil, []Result{{Code: Invalid, Message: "no", Token: &token.Record{Accessor: "a"}}})
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		if rs, err := DecodeResults(b); err == nil {
			if _, err := AppendResults(nil, rs); err != nil {
				t.Errorf("decoded but not encoded: %v", err)
			}
		}
	})
}
