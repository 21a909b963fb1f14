package storage

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tokengrove/grove/fsm/token"
)

// TestOwned compares with a map of maps, and wants an image to stay what it was.
func TestOwned(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var o, image Owned
	naive := map[token.Hash]map[string]string{}
	var frozen string
	for step := range 2000 {
		owner, key := token.Hash{byte(r.IntN(7))}, fmt.Sprint("k", r.IntN(4))
		s := o.Of(owner)
		switch {
		case r.IntN(12) == 0:
			s = Store{}
			delete(naive, owner)
		case r.IntN(3) == 0:
			s = s.Delete(key)
			delete(naive[owner], key)
		default:
			v := fmt.Sprint(r.IntN(100))
			s = s.Put(key, Entry{Value: []byte(v), Version: 1})
			if naive[owner] == nil {
				naive[owner] = map[string]string{}
			}
			naive[owner][key] = v
		}
		o = o.With(owner, s)
		owners, entries, bytes := 0, 0, 0
		for owner, kept := range naive {
			if len(kept) > 0 {
				owners++
			}
			for k, v := range kept {
				entries, bytes = entries+1, bytes+len(k)+len(v)
				if got := string(o.Of(owner).Find(k).Value); got != v {
					t.Fatalf("step %d: %x has %q at %s, want %q", step, owner[:1], got, k, v)
				}
			}
		}
		if o.Len() != owners || o.Entries() != entries || o.Bytes() != bytes {
			t.Fatalf("step %d: %d owners, %d entries, %d bytes, want %d, %d, %d", step, o.Len(), o.Entries(), o.Bytes(), owners, entries, bytes)
		}
		if step == 1000 {
			image, frozen = o, dump(o)
		}
	}
	if frozen == "" || dump(image) != frozen {
		t.Errorf("an image changed from %s to %s", frozen, dump(image))
	}
}

func dump(o Owned) string {
	var out string
	o.Walk(func(owner token.Hash, s Store) bool {
		s.Walk("", func(k string, e Entry) bool {
			out += fmt.Sprintf("%x/%s=%s ", owner[:1], k, e.Value)
			return true
		})
		return true
	})
	return out
}
