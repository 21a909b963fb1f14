package forest

import (
	"encoding/binary"
	"maps"
	"slices"

	"github.com/tokengrove/grove/fsm/token"
)

// property is what many tokens share: everything of a Record that is fixed at creation
// and not unique. Equal properties are stored once.
type property struct {
	rec      token.Record   // only the shared fields are set
	accessor token.Accessor // of an odd length; a token with one shares with nobody
	key      string
	refs     uint32
}

// properties is the intern table.
type properties struct {
	table paged[property]
	byKey map[string]uint32
	free  []uint32
	buf   []byte
}

func (p *properties) init() {
	p.byKey = map[string]uint32{}
	p.table.grow() // 0 is none
}

func (p *properties) at(i uint32) *property { return p.table.at(Ref(i)) }

// intern returns the property of rec with one reference more.
func (p *properties) intern(rec *token.Record) uint32 {
	p.buf = appendKey(p.buf[:0], rec)
	if i, ok := p.byKey[string(p.buf)]; ok {
		p.table.edit(Ref(i)).refs++
		return i
	}
	var i uint32
	if n := len(p.free); n > 0 {
		i, p.free = p.free[n-1], p.free[:n-1]
	} else {
		i = p.table.grow()
	}
	pr := p.table.edit(Ref(i))
	*pr = property{rec: shared(rec), key: string(p.buf), refs: 1}
	if len(rec.Accessor) != accessorBytes {
		pr.accessor = rec.Accessor
	}
	p.byKey[pr.key] = i
	return i
}

// release gives one reference back.
func (p *properties) release(i uint32) {
	pr := p.table.edit(Ref(i))
	pr.refs--
	if pr.refs == 0 {
		delete(p.byKey, pr.key)
		*pr = property{}
		p.free = append(p.free, i)
	}
}

// shared returns a copy of rec with only the fields that a property holds.
func shared(rec *token.Record) token.Record {
	return token.Record{
		Type: rec.Type, DisplayName: rec.DisplayName, Meta: maps.Clone(rec.Meta), Policies: slices.Clone(rec.Policies),
		Role: rec.Role, BoundCIDRs: slices.Clone(rec.BoundCIDRs), TTL: rec.TTL, ExplicitMax: rec.ExplicitMax,
		Period: rec.Period, NumUses: rec.NumUses, Renewable: rec.Renewable,
	}
}

// appendKey appends a form of the shared fields in which equal means equal.
func appendKey(b []byte, rec *token.Record) []byte {
	b = append(b, byte(rec.Type))
	if rec.Renewable {
		b[0] |= 0x80
	}
	for _, v := range []uint64{uint64(rec.TTL), uint64(rec.ExplicitMax), uint64(rec.Period), uint64(rec.NumUses)} {
		b = binary.AppendUvarint(b, v)
	}
	b = appendStrings(b, rec.DisplayName, rec.Role)
	b = appendList(b, rec.Policies)
	b = appendList(b, rec.BoundCIDRs)
	b = binary.AppendUvarint(b, uint64(len(rec.Meta)))
	if len(rec.Meta) > 0 {
		for _, k := range slices.Sorted(maps.Keys(rec.Meta)) {
			b = appendStrings(b, k, rec.Meta[k])
		}
	}
	if len(rec.Accessor) != accessorBytes {
		b = append(b, rec.Accessor...)
	}
	return b
}

func appendList(b []byte, ss []string) []byte {
	return appendStrings(binary.AppendUvarint(b, uint64(len(ss))), ss...)
}

func appendStrings(b []byte, ss ...string) []byte {
	for _, s := range ss {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	return b
}

// recordOf puts a Record together again.
func recordOf(n *node, p *property, path *pathEntry, parent token.Hash) token.Record {
	rec := shared(&p.rec)
	rec.Hash, rec.Accessor, rec.Parent, rec.Path = n.hash, accessorOf(n, p), parent, path.path
	rec.Created, rec.Deadline, rec.Renewed = n.created, n.deadline, n.renewed
	rec.LeaseTTL, rec.UsesLeft = n.leaseTTL, n.uses
	return rec
}
