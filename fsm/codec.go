package fsm

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"

	"github.com/tokengrove/grove/fsm/token"
)

// EntryVersion is the first byte of every log entry that this build writes.
const EntryVersion = 1

// MaxEntryBytes bounds one log entry, so that a corrupt length never allocates.
const MaxEntryBytes = 64 << 20

// SessionID names an edge session. The zero ID means that a group is not deduplicated.
type SessionID [16]byte

// Item is one proposed command: its sequence number in the session, its kind and its
// body in CBOR.
type Item struct {
	Seq  uint64
	Kind Kind
	Body []byte

	at int // of the body in the entry that it was decoded from
}

// Group holds the commands of one edge session. Every sequence number below Low has
// been answered, and the machine may forget its result.
type Group struct {
	Session SessionID
	Low     uint64
	Items   []Item
}

// Entry is one Raft log entry: many commands under one time stamp.
type Entry struct {
	At     token.Instant
	Groups []Group
}

// ErrCorrupt is wrapped by every error about bytes that are no entry, group or result list.
var ErrCorrupt = errors.New("corrupt entry")

// encMode is CBOR's core deterministic form (RFC 8949 §4.2.1): equal values, equal bytes.
var encMode = mustEncMode()

// decMode refuses unknown fields, duplicate keys and indefinite lengths: skipping what
// this build does not know would let replicas diverge in silence.
var decMode = mustDecMode()

func mustEncMode() cbor.EncMode {
	m, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		panic(err)
	}
	return m
}

func mustDecMode() cbor.DecMode {
	m, err := cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		UTF8:              cbor.UTF8DecodeInvalid, // a Go string may hold any bytes; refusing them is the edge's business
		MaxArrayElements:  1 << 20,
		MaxMapPairs:       1 << 20,
		MaxNestedLevels:   16,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return m
}

// EncodeCommand returns the kind and the CBOR body of c. What the library wrote it reads back: a
// command that apply could not decode would stop every node, and must not be proposed.
func EncodeCommand(c Command) (Kind, []byte, error) {
	if f, ok := c.(fastCommand); ok {
		if b, ok := f.appendFields(make([]byte, 0, 256)); ok {
			return c.Kind(), b, nil
		}
	}
	b, err := encMode.Marshal(c)
	if err != nil {
		return 0, nil, fmt.Errorf("encoding command kind %d: %w", c.Kind(), err)
	}
	if _, err := DecodeCommand(c.Kind(), b); err != nil {
		return 0, nil, Errorf(Invalid, "this request cannot be replicated: %v", err)
	}
	return c.Kind(), b, nil
}

// DecodeCommand is the inverse of EncodeCommand. An unknown kind or field is an error.
func DecodeCommand(k Kind, body []byte) (Command, error) {
	fresh, ok := catalogue[k]
	if !ok {
		return nil, fmt.Errorf("unknown command kind %d", k)
	}
	c := fresh()
	if f, ok := c.(fastCommand); ok {
		if readFast(f, string(body)) {
			return c, nil
		}
		c = fresh()
	}
	if err := decMode.Unmarshal(body, c); err != nil {
		return nil, fmt.Errorf("decoding command kind %d: %w", k, err)
	}
	if o, ok := c.(interface{ open() error }); ok { // it has another one inside
		return c, o.open()
	}
	return c, nil
}

// AppendEntry appends the binary form of e to dst:
//
//	version u8 | at i64 | groups uvarint | group...
//
// Integers are big-endian; a group is drawn at AppendGroup.
func AppendEntry(dst []byte, e Entry) []byte {
	dst = append(dst, EntryVersion)
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.At))
	dst = binary.AppendUvarint(dst, uint64(len(e.Groups)))
	for _, g := range e.Groups {
		dst = AppendGroup(dst, g)
	}
	return dst
}

// AppendGroup appends the binary form of g to dst:
//
//	session [16]byte | low uvarint | items uvarint | item...
//	item: seq uvarint | kind u16 | length uvarint | body
func AppendGroup(dst []byte, g Group) []byte {
	dst = append(dst, g.Session[:]...)
	dst = binary.AppendUvarint(dst, g.Low)
	dst = binary.AppendUvarint(dst, uint64(len(g.Items)))
	for _, it := range g.Items {
		dst = binary.AppendUvarint(dst, it.Seq)
		dst = binary.BigEndian.AppendUint16(dst, uint16(it.Kind))
		dst = binary.AppendUvarint(dst, uint64(len(it.Body)))
		dst = append(dst, it.Body...)
	}
	return dst
}

// DecodeEntry is the inverse of AppendEntry. The bodies alias b.
func DecodeEntry(b []byte) (Entry, error) {
	var e Entry
	if len(b) == 0 || len(b) > MaxEntryBytes {
		return e, fmt.Errorf("%w: %d bytes", ErrCorrupt, len(b))
	}
	r := reader{b: b, size: len(b)}
	if v := r.byte(); v != EntryVersion {
		return e, fmt.Errorf("unknown entry version %d, this build knows %d", v, EntryVersion)
	}
	e.At = token.Instant(r.uint64())
	n := r.count(18)
	for i := 0; i < n && r.err == nil; i++ {
		e.Groups = append(e.Groups, r.group())
	}
	if r.err == nil && len(r.b) != 0 {
		r.fail("bytes after the last group")
	}
	return e, r.err
}

// DecodeGroup reads one group and returns what follows it. The bodies alias b.
func DecodeGroup(b []byte) (Group, []byte, error) {
	r := reader{b: b, size: len(b)}
	g := r.group()
	return g, r.b, r.err
}

// AppendResults appends the CBOR form of rs to dst.
func AppendResults(dst []byte, rs []Result) ([]byte, error) {
	if b, ok := appendFast(dst, rs); ok {
		return b, nil
	}
	b, err := encMode.Marshal(rs)
	if err != nil {
		return nil, fmt.Errorf("encoding results: %w", err)
	}
	return append(dst, b...), nil
}

// DecodeResults is the inverse of AppendResults.
func DecodeResults(b []byte) ([]Result, error) {
	if rs, ok := readFastResults(b); ok {
		return rs, nil
	}
	var rs []Result
	if err := decMode.Unmarshal(b, &rs); err != nil {
		return nil, fmt.Errorf("decoding results: %w", err)
	}
	return rs, nil
}

// reader consumes bytes with a sticky error, so that layouts read like their drawing.
type reader struct {
	b    []byte
	size int // of b before anything was read
	err  error
}

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrCorrupt, what)
	}
}

func (r *reader) take(n int) []byte {
	if r.err != nil || n > len(r.b) {
		r.fail("short")
		return nil
	}
	p := r.b[:n:n]
	r.b = r.b[n:]
	return p
}

func (r *reader) byte() byte {
	if p := r.take(1); p != nil {
		return p[0]
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if p := r.take(8); p != nil {
		return binary.BigEndian.Uint64(p)
	}
	return 0
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if r.err != nil || n <= 0 {
		r.fail("bad varint")
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count reads a number of elements, of which each takes at least size bytes.
func (r *reader) count(size int) int {
	n := r.uvarint()
	if n > uint64(len(r.b)/size) {
		r.fail("count larger than the bytes that follow")
		return 0
	}
	return int(n)
}

func (r *reader) group() Group {
	var g Group
	copy(g.Session[:], r.take(len(g.Session)))
	g.Low = r.uvarint()
	n := r.count(4)
	g.Items = make([]Item, 0, min(n, 64))
	for i := 0; i < n && r.err == nil; i++ {
		it := Item{Seq: r.uvarint()}
		if p := r.take(2); p != nil {
			it.Kind = Kind(binary.BigEndian.Uint16(p))
		}
		size := r.uvarint()
		if size > uint64(len(r.b)) {
			r.fail("body longer than the entry")
			return g
		}
		it.at = r.size - len(r.b)
		it.Body = r.take(int(size))
		g.Items = append(g.Items, it)
	}
	return g
}
