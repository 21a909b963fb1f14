package forest

import (
	"slices"
	"sort"
	"strings"
)

// chunkSize is the largest number of items in a chunk of an order.
const chunkSize = 512

// order is a sorted set of items in chunks: a B-tree of two levels. The upper one is a
// plain slice, which a split shifts by one: 160 kB for five million paths, every few
// hundred insertions.
type order struct {
	chunks [][]uint32
	name   func(uint32) string
}

// seek returns where the first item with a name ≥ key is: chunk and place in it. The
// chunk is len(chunks) if there is none.
func (o *order) seek(key string) (c, i int) {
	c = sort.Search(len(o.chunks), func(c int) bool {
		chunk := o.chunks[c]
		return o.name(chunk[len(chunk)-1]) >= key
	})
	if c == len(o.chunks) {
		return c, 0
	}
	return c, sort.Search(len(o.chunks[c]), func(i int) bool { return o.name(o.chunks[c][i]) >= key })
}

// add inserts an item whose name is not in the set.
func (o *order) add(item uint32) {
	c, i := o.seek(o.name(item))
	if c == len(o.chunks) {
		if c == 0 {
			o.chunks = [][]uint32{{item}}
			return
		}
		c--
		i = len(o.chunks[c])
	}
	chunk := slices.Insert(o.chunks[c], i, item)
	o.chunks[c] = chunk
	if len(chunk) > chunkSize {
		half := len(chunk) / 2
		if c == len(o.chunks)-1 && i == len(chunk)-1 {
			half = len(chunk) - 1 // names that come in order leave full chunks
		}
		o.chunks[c] = slices.Clone(chunk[:half])
		o.chunks = slices.Insert(o.chunks, c+1, slices.Clone(chunk[half:]))
	}
}

// remove takes out an item that is in the set.
func (o *order) remove(item uint32) {
	c, i := o.seek(o.name(item))
	o.chunks[c] = slices.Delete(o.chunks[c], i, i+1)
	o.tidy(c)
}

// tidy drops chunk c if it is empty and joins it with the next if both are small.
func (o *order) tidy(c int) {
	if len(o.chunks[c]) == 0 {
		o.chunks = slices.Delete(o.chunks, c, c+1)
		return
	}
	if c+1 < len(o.chunks) && len(o.chunks[c])+len(o.chunks[c+1]) < chunkSize/2 {
		o.chunks[c] = append(o.chunks[c], o.chunks[c+1]...)
		o.chunks = slices.Delete(o.chunks, c+1, c+2)
	}
}

// walk yields the items whose name starts with prefix, in order.
func (o *order) walk(prefix string, yield func(uint32) bool) {
	for c, i := o.seek(prefix); c < len(o.chunks); c, i = c+1, 0 {
		for _, item := range o.chunks[c][i:] {
			if !strings.HasPrefix(o.name(item), prefix) || !yield(item) {
				return
			}
		}
	}
}

// cut takes out all items whose name starts with prefix and returns them in order.
func (o *order) cut(prefix string) []uint32 {
	var items []uint32
	o.walk(prefix, func(item uint32) bool {
		items = append(items, item)
		return true
	})
	if len(items) == 0 {
		return nil
	}
	c, i := o.seek(prefix)
	left := len(items)
	n := min(left, len(o.chunks[c])-i)
	o.chunks[c] = slices.Delete(o.chunks[c], i, i+n)
	left -= n
	last := c + 1
	for left > 0 && left >= len(o.chunks[last]) {
		left -= len(o.chunks[last])
		last++
	}
	if left > 0 {
		o.chunks[last] = slices.Delete(o.chunks[last], 0, left)
	}
	o.chunks = slices.Delete(o.chunks, c+1, last)
	o.tidy(c)
	return items
}
