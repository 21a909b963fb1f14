package httpapi

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tokengrove/grove/fsm/token"
)

// scatter sets every field reachable from v to a random value, empty ones included.
func scatter(v reflect.Value, r *rand.Rand) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.Unix(0, r.Int64()>>r.IntN(40)).UTC()))
		return
	}
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
		v.SetInt([]int64{0, 1, -1, math.MaxInt64, math.MinInt64, r.Int64()}[r.IntN(6)])
	case reflect.Uint32:
		v.SetUint([]uint64{0, 1, math.MaxUint32}[r.IntN(3)])
	case reflect.Slice:
		switch n := r.IntN(5); n {
		case 0: // nil
		default:
			v.Set(reflect.MakeSlice(v.Type(), n-1, n-1))
			for i := range n - 1 {
				scatter(v.Index(i), r)
			}
		}
	case reflect.Map:
		if n := r.IntN(5); n > 0 {
			m := map[string]string{}
			for range n - 1 {
				m[randomText(r)] = randomText(r)
			}
			v.Set(reflect.ValueOf(m))
		}
	case reflect.Pointer:
		if r.IntN(2) == 0 {
			v.Set(reflect.New(v.Type().Elem()))
			scatter(v.Elem(), r)
		}
	case reflect.Interface:
		v.Set(reflect.ValueOf([]any{map[string]any{"a": 1.5, "b": []string{"<"}}, "text", 7}[r.IntN(3)]))
		if r.IntN(2) == 0 {
			v.SetZero()
		}
	default:
		panic("scatter: " + v.Kind().String())
	}
}

func randomText(r *rand.Rand) string {
	const plain = "abc XYZ/_-.:09{}[],'`~\x7f"
	odd := []string{"\"", "\\", "<", ">", "&", "\n", "\x00", "\x1f", "é", "日本", "\u2028", "\u2029", "\xff", "\xe2\x80", "😀", "\ufffd"}
	var b strings.Builder
	for range r.IntN(12) {
		if r.IntN(8) == 0 {
			b.WriteString(odd[r.IntN(len(odd))])
		} else {
			b.WriteByte(plain[r.IntN(len(plain))])
		}
	}
	return b.String()
}

// TestJSONWriter: an answer is the bytes that encoding/json makes of it, whatever is in it.
func TestJSONWriter(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		var e envelope
		scatter(reflect.ValueOf(&e).Elem(), r)
		if r.IntN(2) == 0 {
			d := new(tokenData)
			scatter(reflect.ValueOf(d).Elem(), r)
			e.Data = d
		}
		want, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var w jsonWriter
		w.envelope(&e)
		if w.err != nil || string(w.b) != string(want) {
			t.Fatalf("%v\n got %s\nwant %s", w.err, w.b, want)
		}
	}
}

// TestJSONWriterReportsErrors: what encoding/json cannot write is no answer.
func TestJSONWriterReportsErrors(t *testing.T) {
	t.Parallel()
	var w jsonWriter
	w.envelope(&envelope{Data: func() {}, WrapInfo: 1})
	if w.err == nil {
		t.Errorf("a function was written: %s", w.b)
	}
}

func BenchmarkLookupBody(b *testing.B) {
	rec := token.Record{
		Accessor: "012345678901234567890123", Type: token.Service, DisplayName: "token-ci", Meta: map[string]string{"team": "core"},
		Policies: []string{"app", "default"}, Path: "auth/token/create", Created: 1e18, TTL: time.Hour, Deadline: 2e18, Renewable: true,
	}
	e := envelope{RequestID: "f7a9f5a8-3f6d-4a0b-9b57-2d3e3f0d0a11", Data: show(&rec, "hvs.012345678901234567890123", 1e18), MountType: "token"}
	b.Run("own", func(b *testing.B) {
		b.ReportAllocs()
		var w jsonWriter
		for b.Loop() {
			w.b = w.b[:0]
			w.envelope(&e)
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := json.Marshal(e); err != nil {
				b.Fatal(err)
			}
		}
	})
}
