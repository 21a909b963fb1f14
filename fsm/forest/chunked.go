package forest

// chunkItems is the number of items in a chunk of a chunked.
const chunkItems = 4096

// chunked is a list that grows without moving its items. A plain slice of five million deadlines
// would copy a hundred megabytes in the middle of a request.
type chunked[T any] struct {
	chunks []*[chunkItems]T
	len    int
}

// at returns item i. The pointer is good as long as the item is there.
func (c *chunked[T]) at(i int) *T { return &c.chunks[i/chunkItems][i%chunkItems] }

// grow makes the list at least n items long; new items are zero, or what they were before a cut.
func (c *chunked[T]) grow(n int) {
	for len(c.chunks)*chunkItems < n {
		c.chunks = append(c.chunks, new([chunkItems]T))
	}
	c.len = max(c.len, n)
}

// cut makes the list n items long. It keeps one chunk more than it needs, so that a list whose length
// goes up and down allocates nothing.
func (c *chunked[T]) cut(n int) {
	c.len = n
	if keep := (n+chunkItems-1)/chunkItems + 1; keep < len(c.chunks) {
		clear(c.chunks[keep:])
		c.chunks = c.chunks[:keep]
	}
}
