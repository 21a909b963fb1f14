package forest

import "testing"

func TestChunked(t *testing.T) {
	t.Parallel()
	var c chunked[int]
	const n = 3*chunkItems + 7
	for i := range n {
		c.grow(i + 1)
		*c.at(i) = i
	}
	first := c.at(0)
	c.grow(2 * n)
	if c.at(0) != first {
		t.Error("items moved when the list grew")
	}
	c.grow(1)
	if c.len != 2*n {
		t.Errorf("grown to 1, the list has %d items, want %d", c.len, 2*n)
	}
	for i := range n {
		if *c.at(i) != i {
			t.Fatalf("item %d is %d", i, *c.at(i))
		}
	}
	c.cut(chunkItems + 1)
	if c.len != chunkItems+1 || len(c.chunks) != 3 {
		t.Errorf("%d items in %d chunks, want %d in 3", c.len, len(c.chunks), chunkItems+1)
	}
	c.cut(0)
	if c.len != 0 || len(c.chunks) != 1 {
		t.Errorf("empty, the list has %d items in %d chunks", c.len, len(c.chunks))
	}
}
