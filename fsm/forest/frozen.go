package forest

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/tokengrove/grove/fsm/token"
)

// Header is what a snapshot needs besides the tokens.
type Header struct {
	NextSeq    uint64 `cbor:"1,keyasint"`
	LastTicket uint64 `cbor:"2,keyasint"`
}

// TokenRow is one token of a snapshot.
type TokenRow struct {
	Seq    uint64       `cbor:"1,keyasint"`
	Record token.Record `cbor:"2,keyasint"`
	// Ticket is the place in the queue of the dead of a token that was revoked and is not
	// reclaimed; 0 otherwise. PathTicket is that of its source path.
	Ticket     uint64 `cbor:"3,keyasint,omitempty"`
	PathTicket uint64 `cbor:"4,keyasint,omitempty"`
}

// Frozen is an image of a Forest.
type Frozen struct {
	header  Header
	nodes   paged[node]
	props   paged[property]
	paths   paged[pathEntry]
	tickets map[Ref]uint64
}

// Freeze takes an image in O(pages + queued deaths).
func (f *Forest) Freeze() *Frozen {
	z := &Frozen{
		header:  Header{NextSeq: f.nextSeq, LastTicket: f.dead.next},
		nodes:   f.nodes.freeze(),
		props:   f.props.table.freeze(),
		paths:   f.paths.table.freeze(),
		tickets: make(map[Ref]uint64, len(f.dead.items)),
	}
	for _, it := range f.dead.items {
		if it.path == 0 && f.deadRoot(it) != 0 {
			z.tickets[it.ref] = it.ticket
		}
	}
	return z
}

// Header returns what Builder.Header takes.
func (z *Frozen) Header() Header { return z.header }

// Tokens yields every token in the order of creation, parents before their children.
// It stops at the first error and returns it.
func (z *Frozen) Tokens(yield func(TokenRow) error) error {
	type entry struct {
		seq uint64
		ref Ref
	}
	var order []entry
	for i := uint32(1); i < z.nodes.len; i++ {
		if n := z.nodes.at(Ref(i)); n.state != free {
			order = append(order, entry{n.seq, Ref(i)})
		}
	}
	slices.SortFunc(order, func(a, b entry) int { return cmp.Compare(a.seq, b.seq) })
	for _, e := range order {
		if err := yield(z.row(e.ref)); err != nil {
			return err
		}
	}
	return nil
}

func (z *Frozen) row(r Ref) TokenRow {
	n := z.nodes.at(r)
	path := z.paths.at(Ref(n.path))
	var parent token.Hash
	if n.parent != 0 {
		parent = z.nodes.at(n.parent).hash
	}
	return TokenRow{
		Seq: n.seq, Record: recordOf(n, z.props.at(Ref(n.props)), path, parent),
		Ticket: z.tickets[r], PathTicket: path.ticket,
	}
}

// Builder makes a Forest from rows. The forest behaves under all further operations like
// the one that was frozen.
type Builder struct {
	forest *Forest
	last   uint64
	dead   map[deadPath]uint32
}

type deadPath struct {
	path   string
	ticket uint64
}

// NewBuilder returns an empty Builder.
func NewBuilder() *Builder { return &Builder{forest: New(), dead: map[deadPath]uint32{}} }

// Header takes the header, once and before the rows.
func (b *Builder) Header(h Header) error {
	if h.NextSeq == 0 {
		return fmt.Errorf("forest header without sequence numbers")
	}
	b.forest.nextSeq, b.forest.dead.next = h.NextSeq, h.LastTicket
	return nil
}

// Add takes the next row, in the order of Frozen.Tokens.
func (b *Builder) Add(row TokenRow) error {
	f := b.forest
	if row.Seq <= b.last || row.Seq >= f.nextSeq {
		return fmt.Errorf("token row %d after %d, below %d", row.Seq, b.last, f.nextSeq)
	}
	if max(row.Ticket, row.PathTicket) > f.dead.next {
		return fmt.Errorf("token row %d: ticket after the last one", row.Seq)
	}
	b.last = row.Seq
	var parent Ref
	if !row.Record.Parent.IsZero() {
		if parent = f.Find(row.Record.Parent); parent == 0 {
			return fmt.Errorf("token row %d: unknown parent", row.Seq)
		}
	}
	r, err := f.place(&row.Record, parent, b.path(row), row.Seq)
	if err != nil {
		return fmt.Errorf("token row %d: %w", row.Seq, err)
	}
	if row.Ticket != 0 {
		f.nodes.edit(r).state = revoking
		f.heapDrop(r)
		f.dead.items = append(f.dead.items, deadItem{ticket: row.Ticket, ref: r, seq: row.Seq})
	}
	return nil
}

// path returns the entry of a row: the living one, or the dead one of its ticket.
func (b *Builder) path(row TokenRow) uint32 {
	if row.PathTicket == 0 {
		return b.forest.paths.live(row.Record.Path)
	}
	k := deadPath{row.Record.Path, row.PathTicket}
	i, ok := b.dead[k]
	if !ok {
		i = b.forest.paths.add(k.path, k.ticket)
		b.dead[k] = i
		b.forest.dead.items = append(b.forest.dead.items, deadItem{ticket: k.ticket, path: i})
	}
	return i
}

// Finish puts the queue in order and returns the forest. The caller runs Check.
func (b *Builder) Finish() (*Forest, error) {
	items := b.forest.dead.items
	slices.SortFunc(items, func(x, y deadItem) int { return cmp.Compare(x.ticket, y.ticket) })
	for i := 1; i < len(items); i++ {
		if items[i].ticket == items[i-1].ticket {
			return nil, fmt.Errorf("ticket %d is given twice", items[i].ticket)
		}
	}
	return b.forest, nil
}
