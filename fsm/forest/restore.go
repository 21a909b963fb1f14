package forest

import (
	"errors"
	"fmt"
	"strings"
)

// Builder makes a forest from the rows of a snapshot: one that behaves like the frozen
// one in every respect. It refuses rows that no forest has; Check finds what is left.
type Builder struct {
	forest *Forest
	header Header
	last   uint64            // the creation number of the last row
	turns  map[uint64]link   // the reclaim queue
	dead   map[uint64]uint32 // turn of a dead path to the path
}

// A snapshot of many tokens saves a fifth of the time if the indexes are large from the
// start. The header is believed only after so many rows, and only so far: it may lie.
const (
	reserveAfter = 1 << 16
	reserveMost  = 1 << 23
)

// NewBuilder returns a builder of a forest; Header comes first, then Add for each row.
func NewBuilder() *Builder {
	return &Builder{forest: New(), turns: map[uint64]link{}, dead: map[uint64]uint32{}}
}

// Header takes the header of the snapshot.
func (b *Builder) Header(h Header) error {
	if h.NextSeq == 0 || h.Tokens >= h.NextSeq {
		return fmt.Errorf("forest header: %d tokens, the next is number %d", h.Tokens, h.NextSeq)
	}
	b.header = h
	return nil
}

// Add takes the next row. It keeps no memory of the row that can change.
func (b *Builder) Add(row TokenRow) error {
	if err := b.add(&row); err != nil {
		return fmt.Errorf("token %d: %w", row.Seq, err)
	}
	return nil
}

func (b *Builder) add(row *TokenRow) error {
	rec := &row.Record
	switch {
	case row.Seq <= b.last || row.Seq >= b.header.NextSeq:
		return fmt.Errorf("comes after token %d, and the next new one is %d", b.last, b.header.NextSeq)
	case row.State < Active || row.State > Orphaning:
		return fmt.Errorf("unknown state %d", row.State)
	case (row.State == Active) != (row.Turn == 0):
		return fmt.Errorf("state %d at place %d of the reclaim queue", row.State, row.Turn)
	case rec.UsesLeft > rec.NumUses:
		return fmt.Errorf("%d of %d uses left", rec.UsesLeft, rec.NumUses)
	}
	if err := b.forest.vacant(rec); err != nil {
		return err
	}
	parent, err := b.parent(row)
	if err != nil {
		return err
	}
	path, err := b.path(row)
	if err != nil {
		return err
	}
	r := b.forest.place(rec, row.Seq, row.State, path)
	if parent != 0 {
		b.forest.adopt(parent, r)
	}
	b.last = row.Seq
	if b.forest.Len() == reserveAfter {
		b.forest.reserve(min(b.header.Tokens, reserveMost))
	}
	if row.Turn != 0 {
		return b.turn(row.Turn, linkTo(r))
	}
	return nil
}

// parent returns the token that row hangs from, 0 if none.
func (b *Builder) parent(row *TokenRow) (Ref, error) {
	h, orphan := row.Record.Parent, !row.Under.IsZero()
	switch {
	case orphan && !h.IsZero():
		return 0, errors.New("has a parent and a former parent")
	case orphan:
		h = row.Under
	case h.IsZero():
		return 0, nil
	}
	p := b.forest.Find(h)
	if p == 0 {
		return 0, fmt.Errorf("its parent %s is not among those before it", h)
	}
	if (b.forest.node(p).state == Orphaning) != orphan {
		return 0, fmt.Errorf("its parent %s is in state %d", h, b.forest.node(p).state)
	}
	return p, nil
}

// path returns the path of row, which may be a dead one.
func (b *Builder) path(row *TokenRow) (uint32, error) {
	if row.PathTurn == 0 {
		return b.forest.paths.acquire(row.Record.Path), nil
	}
	if i, ok := b.dead[row.PathTurn]; ok {
		if name := b.forest.paths.at(i).name; name != row.Record.Path {
			return 0, fmt.Errorf("paths %q and %q are both at place %d", name, row.Record.Path, row.PathTurn)
		}
		return i, nil
	}
	i := b.forest.paths.alloc()
	p := b.forest.paths.edit(i)
	p.name, p.dead = strings.Clone(row.Record.Path), true
	b.dead[row.PathTurn] = i
	return i, b.turn(row.PathTurn, linkToPath(i))
}

func (b *Builder) turn(turn uint64, l link) error {
	if b.turns[turn] != 0 {
		return fmt.Errorf("place %d of the reclaim queue is taken", turn)
	}
	b.turns[turn] = l
	return nil
}

// Finish links what is left and returns the forest. The builder must not be used again.
func (b *Builder) Finish() (*Forest, error) {
	f := b.forest
	if b.header.NextSeq == 0 {
		return nil, errors.New("forest without a header")
	}
	if uint64(f.Len()) != b.header.Tokens {
		return nil, fmt.Errorf("%d tokens, the header says %d", f.Len(), b.header.Tokens)
	}
	for turn := uint64(1); turn <= uint64(len(b.turns)); turn++ {
		l, ok := b.turns[turn]
		if !ok {
			return nil, fmt.Errorf("nothing at place %d of the reclaim queue", turn)
		}
		f.enqueue(l)
	}
	f.nextSeq = b.header.NextSeq
	b.forest = nil
	return f, nil
}
