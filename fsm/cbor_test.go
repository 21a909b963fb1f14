package fsm

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/tokengrove/grove/fsm/token"
)

// fastKinds are the commands that are written and read without reflection.
var fastKinds = []Kind{KindCreateToken, KindUseToken, KindRenewToken, KindRevokeToken}

// scatter sets every field reachable from v to a random value, zero and extreme ones included.
func scatter(v reflect.Value, r *rand.Rand) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			scatter(v.Field(i), r)
		}
	case reflect.String:
		v.SetString(randomText(r))
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Int64:
		v.SetInt(int64(randomNumber(r)))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(randomNumber(r) & (1<<(8*v.Type().Size()) - 1))
	case reflect.Array:
		if r.IntN(3) == 0 {
			return
		}
		for i := range v.Len() {
			scatter(v.Index(i), r)
		}
	case reflect.Slice:
		if n := r.IntN(4); n > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				scatter(v.Index(i), r)
			}
		}
	case reflect.Map:
		if n := r.IntN(4); n > 0 {
			m := map[string]string{}
			for range n {
				m[randomText(r)] = randomText(r)
			}
			v.Set(reflect.ValueOf(m))
		}
	case reflect.Pointer:
		if r.IntN(2) == 0 {
			v.Set(reflect.New(v.Type().Elem()))
			scatter(v.Elem(), r)
		}
	default:
		panic("scatter: " + v.Kind().String())
	}
}

func randomText(r *rand.Rand) string {
	b := make([]byte, []int{0, 1, 5, 23, 24, 255, 256, 70000}[r.IntN(5+r.IntN(4))])
	for i := range b {
		b[i] = byte(r.IntN(256))
	}
	return string(b)
}

func randomNumber(r *rand.Rand) uint64 {
	edge := []uint64{0, 1, 23, 24, 255, 256, 65535, 65536, math.MaxUint32, math.MaxUint32 + 1, math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64}
	if r.IntN(3) == 0 {
		return r.Uint64() >> r.IntN(64)
	}
	return edge[r.IntN(len(edge))]
}

// TestFastCodec: what is written and read without reflection is byte for byte and field for field
// what the library writes and reads, and nothing but extremes is left to the library.
func TestFastCodec(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 2000 {
		for _, k := range fastKinds {
			c := catalogue[k]()
			scatter(reflect.ValueOf(c).Elem(), r)
			want, err := encMode.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			got, ok := c.(fastCommand).appendFields(nil)
			if !ok || !bytes.Equal(got, want) {
				t.Fatalf("round %d: %+v is written as\n%x, %v, want\n%x", round, c, got, ok, want)
			}
			back := catalogue[k]()
			if !readFast(back.(fastCommand), string(want)) || !reflect.DeepEqual(back, c) {
				t.Fatalf("round %d: %x is read as\n%+v, want\n%+v", round, want, back, c)
			}
		}
		rs := make([]Result, 1+r.IntN(3))
		scatter(reflect.ValueOf(&rs).Elem(), r)
		if len(rs) == 0 {
			continue
		}
		want, err := encMode.Marshal(rs)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := appendFast(nil, rs)
		if !ok || !bytes.Equal(got, want) {
			t.Fatalf("round %d: results are written as\n%x, %v, want\n%x", round, got, ok, want)
		}
		if back, ok := readFastResults(want); !ok || !reflect.DeepEqual(back, rs) {
			t.Fatalf("round %d: %x is read as\n%+v, want\n%+v", round, want, back, rs)
		}
	}
}

// TestFastCodecGivesUp: odd forms are the library's to take or to refuse.
func TestFastCodecGivesUp(t *testing.T) {
	for name, body := range map[string][]byte{
		"a long form of a short number": {0xa1, 0x18, 0x01, 0xa0},
		"keys in another order":         {0xa2, 0x02, 0xf5, 0x01, 0xa0},
		"a key twice":                   {0xa2, 0x02, 0xf5, 0x02, 0xf5},
		"a field that is false":         {0xa2, 0x01, 0xa0, 0x02, 0xf4},
		"an unknown field":              {0xa2, 0x01, 0xa0, 0x03, 0xf5},
		"bytes at the end":              {0xa1, 0x01, 0xa0, 0x00},
		"nothing":                       {},
		"half a map":                    {0xa2, 0x01, 0xa0},
		"an indefinite map":             {0xbf, 0x01, 0xa0, 0xff},
	} {
		if readFast(new(UseToken), string(body)) {
			t.Errorf("%s was read without the library", name)
		}
	}
	long := &CreateToken{Token: token.Record{Policies: make([]string, fastElements+1)}}
	if _, ok := long.appendFields(nil); ok {
		t.Error("a long list was written without the library")
	}
	if _, body, err := EncodeCommand(long); err != nil {
		t.Error(err)
	} else if got, err := DecodeCommand(KindCreateToken, body); err != nil || !reflect.DeepEqual(got, long) {
		t.Errorf("a long list is not read back: %v", err)
	}
}

// FuzzFastCommands: whatever is read without the library, the library reads as the same.
func FuzzFastCommands(f *testing.F) {
	for _, k := range fastKinds {
		_, body, err := EncodeCommand(filled(k))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(k), body)
	}
	f.Fuzz(func(t *testing.T, kind uint8, body []byte) {
		fresh, ok := catalogue[Kind(kind)]
		if !ok {
			return
		}
		fast, ok := fresh().(fastCommand)
		if !ok || !readFast(fast, string(body)) {
			return
		}
		want := fresh()
		if err := decMode.Unmarshal(body, want); err != nil {
			t.Fatalf("%x was read as %+v, the library says %v", body, fast, err)
		}
		if !reflect.DeepEqual(Command(fast.(Command)), want) {
			t.Fatalf("%x was read as\n%+v, the library reads\n%+v", body, fast, want)
		}
	})
}

// FuzzFastResults is FuzzFastCommands for results.
func FuzzFastResults(f *testing.F) {
	rs := make([]Result, 2)
	n := 0
	fill(reflect.ValueOf(&rs[0]).Elem(), &n)
	b, err := AppendResults(nil, rs)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		got, ok := readFastResults(b)
		if !ok {
			return
		}
		var want []Result
		if err := decMode.Unmarshal(b, &want); err != nil {
			t.Fatalf("%x was read as %+v, the library says %v", b, got, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%x was read as\n%+v, the library reads\n%+v", b, got, want)
		}
	})
}

// BenchmarkCodec compares a create's way into the log and out of it with the library's.
func BenchmarkCodec(b *testing.B) {
	c := &CreateToken{Caller: Caller{Token: token.Hash{1}, Epoch: 7}, Token: token.Record{
		Hash: token.Hash{2}, Accessor: "012345678901234567890123", Parent: token.Hash{1}, Type: token.Service, DisplayName: "token-ci",
		Meta: map[string]string{"team": "core", "run": "1234"}, Policies: []string{"app", "default"}, Path: "auth/token/create", TTL: time.Hour, Renewable: true,
	}}
	_, body, err := EncodeCommand(c)
	if err != nil {
		b.Fatal(err)
	}
	for _, way := range []struct {
		name string
		do   func() error
	}{
		{"encode", func() error { _, _, err := EncodeCommand(c); return err }},
		{"encode/library", func() error { _, err := encMode.Marshal(c); return err }},
		{"decode", func() error { _, err := DecodeCommand(KindCreateToken, body); return err }},
		{"decode/library", func() error { return decMode.Unmarshal(body, new(CreateToken)) }},
	} {
		b.Run(fmt.Sprintf("create/%s", way.name), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := way.do(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
