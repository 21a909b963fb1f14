package fsm

import (
	"bytes"
	"testing"
	"time"

	"github.com/tokengrove/grove/fsm/ban"
	"github.com/tokengrove/grove/fsm/keyring"
)

// FuzzBatchToken: whatever is decoded is a batch token that could have been given out.
func FuzzBatchToken(f *testing.F) {
	good, err := EncodeBatchToken(&BatchToken{Parent: "a", Policies: []string{"x"}, Path: "auth/token/create", Created: 1, TTL: time.Hour, Issued: ban.Point{Index: 7}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte{0xa0})
	f.Fuzz(func(t *testing.T, b []byte) {
		tok, err := DecodeBatchToken(b)
		if err != nil {
			return
		}
		if tok.TTL <= 0 || tok.TTL > MaxBatchTTL || tok.Path == "" {
			t.Fatalf("decoded %+v", *tok)
		}
		out, err := EncodeBatchToken(tok)
		if err != nil {
			t.Fatalf("%+v does not encode: %v", *tok, err)
		}
		if back, err := DecodeBatchToken(out); err != nil {
			t.Fatalf("%x: %v", out, err)
		} else if again, err := EncodeBatchToken(back); err != nil || !bytes.Equal(again, out) {
			t.Fatalf("%x encodes as %x, %v", out, again, err)
		}
	})
}

// TestSealingAdopted: a restore keeps the keys of this cluster, and takes those of another with its snapshot.
func TestSealingAdopted(t *testing.T) {
	ring := func(n byte) *keyring.Ring {
		return (&keyring.Ring{}).With(keyring.Key{Term: 1, Cluster: "c", Seal: keyring.SealID{n}, Sealed: []byte{n}})
	}
	for name, c := range map[string]struct {
		snapshot *keyring.Ring
		same     bool
		want     byte
	}{
		"own":                     {ring(1), true, 2},
		"of another":              {ring(1), false, 1},
		"of an earlier build":     {&keyring.Ring{}, false, 2},
		"own, before there was a": {&keyring.Ring{}, true, 2},
	} {
		s, now := sealing{ring: c.snapshot}, sealing{ring: ring(2)}
		now.bans.Add(ban.Ban{Prefix: "auth/x", Point: ban.Point{Index: 3}, At: 1})
		s.adopt(&now, c.same)
		if s.ring.Last().Seal[0] != c.want || (s.bans.Len() == 1) != (c.want == 2) {
			t.Errorf("%s: keys %+v, %d bans", name, s.ring.Last(), s.bans.Len())
		}
	}
}
