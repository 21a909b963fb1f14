package snapshot

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
)

// TestThousandCorruptions damages a file in a thousand random ways, each of which must be refused by the
// check that save and restore make (Inspect) and by Read.
func TestThousandCorruptions(t *testing.T) {
	t.Parallel()
	good := written(t, sample(t, 300).machine)
	if _, err := Inspect(bytes.NewReader(good)); err != nil {
		t.Fatalf("the file itself: %v", err)
	}
	for seed := range uint64(1000) {
		r := rand.New(rand.NewPCG(seed, 4))
		bad, what := corrupted(r, good)
		if bytes.Equal(bad, good) {
			bad, what = good[:len(good)-1], "cut by one"
		}
		_, err := Inspect(bytes.NewReader(bad))
		if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
			t.Errorf("seed %d: %s: Inspect: %v", seed, what, err)
		}
		if _, err := Read(bytes.NewReader(bad)); err == nil {
			t.Errorf("seed %d: %s: restored", seed, what)
		}
	}
}

// corrupted damages a copy of b.
func corrupted(r *rand.Rand, b []byte) ([]byte, string) {
	c := bytes.Clone(b)
	i, j := r.IntN(len(c)), r.IntN(len(c))
	switch r.IntN(7) {
	case 0:
		c[i] ^= 1 << r.IntN(8)
		return c, "a bit flipped"
	case 1:
		for range 1 + r.IntN(20) {
			c[r.IntN(len(c))] = byte(r.Uint32())
		}
		return c, "bytes overwritten"
	case 2:
		return c[:i], "cut off"
	case 3:
		return append(c[:min(i, j)], c[max(i, j):]...), "a piece taken out"
	case 4:
		c[i], c[j] = c[j], c[i]
		return c, "two bytes swapped"
	case 5:
		for range 1 + r.IntN(100) {
			c = append(c, byte(r.Uint32()))
		}
		return c, "garbage appended"
	}
	return append(c[:i:i], append(bytes.Clone(b[j:]), b[i:]...)...), "a piece put in twice"
}
