package token

import (
	"sync"
	"testing"
)

// TestHasher: a Hasher gives what the salt gives, from many goroutines, whatever came before.
func TestHasher(t *testing.T) {
	t.Parallel()
	salt := Salt{1, 2, 3}
	h := NewHasher(salt)
	if h.Salt() != salt {
		t.Errorf("salt %x, want %x", h.Salt(), salt)
	}
	ids := []ID{"", "hvs.abc", "s", ID(make([]byte, 1000)), "hvs.0123456789012345678901234"}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 200 {
				for _, id := range ids {
					if got, want := h.Hash(id), salt.Hash(id); got != want {
						t.Errorf("hash of %q is %x, want %x", id, got, want)
					}
				}
			}
		})
	}
	all.Wait()
	if NewHasher(Salt{9}).Hash("a") == h.Hash("a") {
		t.Error("two salts give one hash")
	}
}

func BenchmarkHash(b *testing.B) {
	salt := Salt{1}
	h := NewHasher(salt)
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
			h.Hash(id)
		}
	})
}
