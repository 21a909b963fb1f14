package forest

import (
	"cmp"
	"slices"

	"github.com/tokengrove/grove/fsm/token"
)

// Header is what a snapshot says about the forest before its rows.
// The CBOR keys are on disk: never renumber or reuse one.
type Header struct {
	NextSeq uint64 `cbor:"1,keyasint"` // the creation number of the next token
	Tokens  uint64 `cbor:"2,keyasint"` // how many rows follow
}

// TokenRow is one token in a snapshot. Rows come in the order of creation, so that a
// parent is always before its children. Record.Parent is the hash of the parent; that of
// a dead token may be gone before it.
// The CBOR keys are on disk: never renumber or reuse one.
type TokenRow struct {
	Seq    uint64       `cbor:"1,keyasint"`
	Record token.Record `cbor:"2,keyasint"`
	State  State        `cbor:"3,keyasint"`
	// Turn is the token's place in the reclaim queue, from 1; 0: not in it.
	Turn uint64 `cbor:"4,keyasint,omitempty"`
	// PathTurn is the place of its source path, if that was revoked.
	PathTurn uint64 `cbor:"5,keyasint,omitempty"`
	// Under is the former parent from which an orphan was not yet cut off.
	Under token.Hash `cbor:"6,keyasint,omitzero"`
}

// Frozen is an image of a forest. It never changes, and may be read on any goroutine
// while the forest goes on.
type Frozen struct {
	nodes      frozenArena[node]
	properties frozenArena[properties]
	paths      frozenArena[path]
	first      link
	header     Header
}

// Freeze takes an image in O(pages); it runs on the writer. Pages are shared with the
// image until the writer changes them.
func (f *Forest) Freeze() *Frozen {
	return &Frozen{
		nodes:      f.nodes.freeze(),
		properties: f.properties.freeze(),
		paths:      f.paths.freeze(),
		first:      f.queue.first,
		header:     Header{NextSeq: f.nextSeq, Tokens: uint64(f.Len())},
	}
}

// Header returns the row that comes before those of the tokens.
func (z *Frozen) Header() Header { return z.header }

// Tokens yields the rows of all tokens in the order of creation. Equal forests yield
// equal rows on every replica. It stops at the first error of yield and returns it.
func (z *Frozen) Tokens(yield func(TokenRow) error) error {
	maker := rowMaker{Frozen: z, turns: z.turns()}
	for _, o := range z.oldestFirst() {
		if err := yield(maker.row(o.ref)); err != nil {
			return err
		}
	}
	return nil
}

// rowMaker makes the rows of an image. Neighbours mostly have the same properties, so the last
// are kept decoded; rows share their lists.
type rowMaker struct {
	*Frozen
	turns      map[link]uint64
	properties uint32
	common     token.Record
}

// turns numbers what is in the reclaim queue.
func (z *Frozen) turns() map[link]uint64 {
	turns := map[link]uint64{}
	for l := z.first; l != 0; {
		turns[l] = uint64(len(turns) + 1)
		if l.isPath() {
			l = z.paths.at(l.path()).queue.next
		} else {
			l = z.nodes.at(uint32(l)).queue.next
		}
	}
	return turns
}

type numbered struct {
	seq uint64
	ref uint32
}

// oldestFirst sorts the tokens by creation. As long as no memory was used twice they
// are in that order already.
func (z *Frozen) oldestFirst() []numbered {
	all := make([]numbered, 0, z.header.Tokens)
	for p, page := range z.nodes.pages {
		if page == nil {
			continue
		}
		for i := range page {
			if page[i].state != 0 {
				all = append(all, numbered{page[i].seq, uint32(p*pageSize + i)})
			}
		}
	}
	slices.SortFunc(all, func(a, b numbered) int { return cmp.Compare(a.seq, b.seq) })
	return all
}

func (z *rowMaker) row(ref uint32) TokenRow {
	n := z.nodes.at(ref)
	if n.properties != z.properties {
		z.properties, z.common = n.properties, token.Record{}
		z.Frozen.properties.at(n.properties).into(&z.common)
	}
	row := TokenRow{Seq: n.seq, State: n.state, Record: z.common}
	if len(z.turns) > 0 {
		row.PathTurn = z.turns[linkToPath(n.source.path)]
	}
	if n.state != Active {
		row.Turn = z.turns[link(ref)]
	}
	rec := &row.Record
	n.into(rec, z.paths.at(n.source.path))
	if n.kin.parent != 0 {
		p := z.nodes.at(uint32(n.kin.parent))
		if p.state == Orphaning {
			row.Under = p.hash
		} else {
			rec.Parent = p.hash
		}
	}
	return row
}
