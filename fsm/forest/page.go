package forest

import "unsafe"

// pageSize is the number of items in a page: large enough that a page table is short,
// small enough that the copy of a page costs little.
const pageSize = 512

// page is the unit of copy on write. gen is the generation of the table that wrote it.
type page[T any] struct {
	gen   uint32
	items [pageSize]T
}

// paged is a growing array of T in pages. freeze shares all pages with an image; the first
// write to a shared page copies it.
type paged[T any] struct {
	pages []*page[T]
	len   uint32
	gen   uint32
}

// at returns item i for reading.
func (p *paged[T]) at(i Ref) *T { return &p.pages[i/pageSize].items[i%pageSize] }

// edit returns item i for writing. A pointer that at or edit gave before may be stale after.
func (p *paged[T]) edit(i Ref) *T {
	pg := p.pages[i/pageSize]
	if pg.gen != p.gen {
		c := *pg
		c.gen = p.gen
		pg = &c
		p.pages[i/pageSize] = pg
	}
	return &pg.items[i%pageSize]
}

// grow appends a zero item and returns its position.
func (p *paged[T]) grow() uint32 {
	if int(p.len) == len(p.pages)*pageSize {
		p.pages = append(p.pages, &page[T]{gen: p.gen})
	}
	p.len++
	return p.len - 1
}

// freeze returns an image that no later write changes.
func (p *paged[T]) freeze() paged[T] {
	img := paged[T]{pages: append([]*page[T](nil), p.pages...), len: p.len, gen: p.gen}
	p.gen++
	return img
}

// nodeBytes is the size of a node, for the benchmark that reports memory per token.
const nodeBytes = unsafe.Sizeof(node{})
