package httpapi

import (
	"sync"
	"testing"

	"github.com/tokengrove/grove/fsm/token"
)

// TestHasher: a hasher gives what the salt gives, from many goroutines, whatever came before.
func TestHasher(t *testing.T) {
	t.Parallel()
	salt := token.Salt{1, 2, 3}
	h := &hasher{salt: salt}
	ids := []token.ID{"", "hvs.abc", "s", token.ID(make([]byte, 1000)), "hvs.0123456789012345678901234"}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 200 {
				for _, id := range ids {
					if got, want := h.hash(id), salt.Hash(id); got != want {
						t.Errorf("hash of %q is %x, want %x", id, got, want)
					}
				}
			}
		})
	}
	all.Wait()
	if (&hasher{salt: token.Salt{9}}).hash("a") == h.hash("a") {
		t.Error("two salts give one hash")
	}
}

func BenchmarkHash(b *testing.B) {
	salt := token.Salt{1}
	h := &hasher{salt: salt}
	const id = "hvs.012345678901234567890123"
	b.Run("salt", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			salt.Hash(id)
		}
	})
	b.Run("hasher", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			h.hash(id)
		}
	})
}
