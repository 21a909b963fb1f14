package forest

import (
	"encoding/binary"
	"hash/maphash"
	"maps"
	"slices"
	"time"

	"github.com/tokengrove/grove/fsm/token"
)

// properties is what does not change in a token's life, encoded, and shared by all
// tokens that agree on it:
//
//	renewable byte | type byte | long accessor | policies | display name | role | meta |
//	CIDRs | varint TTL | varint explicit max | varint period | uvarint uses | login
//
// A login is its mount, its entity and its data; there is none at the end of most properties.
// A text is its length as uvarint and its bytes; a list is its length and its elements;
// meta is a list of key, value, sorted by key. The encoding is never on disk.
type properties struct {
	text   string
	tokens uint32 // how many refer to it
}

// propertyTable interns properties.
type propertyTable struct {
	arena[properties]
	byText  index
	seed    maphash.Seed
	scratch []byte
}

// init readies the table. The seed is random, as that of a Go map: it decides in which
// slots things lie, which nothing observable depends on, and keeps an attacker who
// chooses the metadata of tokens from choosing their slots.
func (t *propertyTable) init() {
	t.arena = newArena[properties]()
	t.seed = maphash.MakeSeed()
	t.byText = newIndex(func(i uint32) uint64 { return maphash.String(t.seed, t.at(i).text) })
}

// acquire returns the properties of rec and counts one more token on them.
func (t *propertyTable) acquire(rec *token.Record) uint32 {
	t.scratch = appendProperties(t.scratch[:0], rec)
	h := maphash.Bytes(t.seed, t.scratch)
	i := t.byText.find(h, func(i uint32) bool { return t.at(i).text == string(t.scratch) })
	if i == 0 {
		i = t.alloc()
		t.edit(i).text = string(t.scratch)
		t.byText.add(h, i)
	}
	t.edit(i).tokens++
	return i
}

// release takes back what acquire counted.
func (t *propertyTable) release(i uint32) {
	p := t.edit(i)
	p.tokens--
	if p.tokens == 0 {
		t.byText.remove(maphash.String(t.seed, p.text), i)
		t.free(i)
	}
}

func appendProperties(b []byte, rec *token.Record) []byte {
	var renewable byte
	if rec.Renewable {
		renewable = 1
	}
	b = append(b, renewable, byte(rec.Type))
	long := ""
	if len(rec.Accessor) > token.AccessorLength {
		long = string(rec.Accessor)
	}
	b = appendText(b, long)
	b = appendTexts(b, rec.Policies)
	b = appendText(b, rec.DisplayName)
	b = appendText(b, rec.Role)
	b = binary.AppendUvarint(b, uint64(len(rec.Meta)))
	if len(rec.Meta) > 0 {
		for _, k := range slices.Sorted(maps.Keys(rec.Meta)) {
			b = appendText(appendText(b, k), rec.Meta[k])
		}
	}
	b = appendTexts(b, rec.BoundCIDRs)
	b = binary.AppendVarint(b, int64(rec.TTL))
	b = binary.AppendVarint(b, int64(rec.ExplicitMax))
	b = binary.AppendVarint(b, int64(rec.Period))
	b = binary.AppendUvarint(b, uint64(rec.NumUses))
	if rec.Login.IsZero() {
		return b
	}
	return appendText(appendText(appendText(b, rec.Login.Mount), rec.Login.Entity), rec.Login.Data)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendTexts(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = appendText(b, s)
	}
	return b
}

// into decodes the properties into rec; the strings share the memory of the encoding,
// which never changes.
func (p *properties) into(rec *token.Record) {
	d := decoder{p.text}
	rec.Renewable = d.byte() == 1
	rec.Type = token.Type(d.byte())
	if long := d.text(); long != "" {
		rec.Accessor = token.Accessor(long)
	}
	rec.Policies = d.texts()
	rec.DisplayName = d.text()
	rec.Role = d.text()
	if n := d.uvarint(); n > 0 {
		rec.Meta = make(map[string]string, n)
		for range n {
			k := d.text()
			rec.Meta[k] = d.text()
		}
	}
	rec.BoundCIDRs = d.texts()
	rec.TTL = time.Duration(d.varint())
	rec.ExplicitMax = time.Duration(d.varint())
	rec.Period = time.Duration(d.varint())
	rec.NumUses = uint32(d.uvarint())
	if d.rest != "" {
		rec.Login = token.Login{Mount: d.text(), Entity: d.text(), Data: d.text()}
	}
}

// longAccessor returns the accessor if it does not fit into a node.
func (p *properties) longAccessor() string {
	d := decoder{p.text[2:]}
	return d.text()
}

// hasPolicy reports whether name is one of the policies.
func (p *properties) hasPolicy(name string) bool {
	return p.anyPolicy(func(own string) bool { return own == name })
}

// anyPolicy reports whether is holds for one of the policies.
func (p *properties) anyPolicy(is func(string) bool) bool {
	d := decoder{p.text[2:]}
	d.text()
	for range d.uvarint() {
		if is(d.text()) {
			return true
		}
	}
	return false
}

// decoder reads what appendProperties wrote; it is never fed anything else.
type decoder struct{ rest string }

func (d *decoder) byte() byte {
	c := d.rest[0]
	d.rest = d.rest[1:]
	return c
}

func (d *decoder) uvarint() uint64 {
	var v uint64
	for shift := 0; ; shift += 7 {
		c := d.byte()
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return v
		}
	}
}

func (d *decoder) varint() int64 {
	u := d.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

func (d *decoder) text() string {
	n := d.uvarint()
	s := d.rest[:n]
	d.rest = d.rest[n:]
	return s
}

func (d *decoder) texts() []string {
	n := d.uvarint()
	if n == 0 {
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = d.text()
	}
	return list
}
