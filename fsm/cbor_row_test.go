package fsm

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/tokengrove/grove/fsm/forest"
	"github.com/tokengrove/grove/fsm/token"
)

// TestTokenRow: a token's row is written and read as the library does it.
func TestTokenRow(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	for round := range 2000 {
		var row, back forest.TokenRow
		scatter(reflect.ValueOf(&row).Elem(), r)
		want, err := encMode.Marshal(row)
		if err != nil {
			t.Fatal(err)
		}
		got, err := appendTokenRow([]byte("before"), &row)
		if err != nil || !bytes.Equal(got, append([]byte("before"), want...)) {
			t.Fatalf("round %d: %+v is written as\n%x, %v, want\n%x", round, row, got, err, want)
		}
		fast := fieldReader{s: string(want), ok: true}
		fast.tokenRow(&back)
		if !fast.ok || fast.s != "" || !reflect.DeepEqual(back, row) {
			t.Fatalf("round %d: %x is read as\n%+v, want\n%+v", round, want, back, row)
		}
	}
}

// TestTokenRowLeftToTheLibrary: what is too long for the fast path is the same in both directions.
func TestTokenRowLeftToTheLibrary(t *testing.T) {
	t.Parallel()
	row := forest.TokenRow{Seq: 1, State: forest.Active, Record: token.Record{Policies: make([]string, fastElements+1)}}
	body, err := appendTokenRow(nil, &row)
	if err != nil {
		t.Fatal(err)
	}
	var back forest.TokenRow
	if err := DecodeTokenRow(string(body), &back); err != nil || !reflect.DeepEqual(back, row) {
		t.Errorf("read back as %+v, %v", back, err)
	}
}

// TestTokenRowRefuses: what the library refuses is refused.
func TestTokenRowRefuses(t *testing.T) {
	t.Parallel()
	for name, body := range map[string][]byte{
		"nothing":                        {},
		"half a map":                     {0xa2, 0x01, 0x01},
		"an unknown field":               {0xa1, 0x07, 0x01},
		"a key twice":                    {0xa2, 0x01, 0x01, 0x01, 0x01},
		"bytes at the end":               {0xa1, 0x01, 0x01, 0x00},
		"a state of 256":                 {0xa1, 0x03, 0x19, 0x01, 0x00},
		"a field of a list":              {0xa1, 0x01, 0x80},
		"an indefinite map":              {0xbf, 0x01, 0x01, 0xff},
		"an unknown field of the record": {0xa1, 0x02, 0xa1, 0x18, 0x18, 0x01},
	} {
		var row forest.TokenRow
		if err := DecodeTokenRow(string(body), &row); err == nil {
			t.Errorf("%s was read as %+v", name, row)
		}
	}
}

// FuzzTokenRow: whatever is read without the library, the library reads as the same.
func FuzzTokenRow(f *testing.F) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 20 {
		var row forest.TokenRow
		scatter(reflect.ValueOf(&row).Elem(), r)
		body, err := appendTokenRow(nil, &row)
		if err != nil {
			f.Fatal(err)
		}
		if len(body) < 4096 {
			f.Add(body)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var got, want forest.TokenRow
		err := DecodeTokenRow(string(body), &got)
		wantErr := decMode.Unmarshal(body, &want)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%x: %v, the library says %v", body, err, wantErr)
		}
		if err == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%x is read as\n%+v, want\n%+v", body, got, want)
		}
	})
}
