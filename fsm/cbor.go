package fsm

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/tokengrove/grove/fsm/token"
)

// The commands and results that every request needs are written and read here without
// reflection; everything else, and every odd form of these, by the CBOR library. What is written is
// byte for byte what the library writes: core deterministic form (RFC 8949 §4.2.1). What is
// read is only that form; a reader that sees anything else gives up, and the library
// decides. FuzzFastCommands and FuzzFastResults hold both to the library.

// Major types of CBOR.
const (
	majorUint  = 0 << 5
	majorInt   = 1 << 5 // negative
	majorBytes = 2 << 5
	majorText  = 3 << 5
	majorList  = 4 << 5
	majorMap   = 5 << 5

	cborTrue = 0xf5
)

// fastElements bounds the lists and maps that are written and read here.
const fastElements = 256

// fieldWriter appends a map with integer keys below 24, in ascending order; zero values are left out.
type fieldWriter struct {
	b  []byte
	at int // of the map's head
	ok bool
}

func writeFields(b []byte) fieldWriter {
	return fieldWriter{b: append(b, majorMap), at: len(b), ok: true}
}

// key starts a field whose value the caller appends.
func (w *fieldWriter) key(k byte) {
	w.b = append(w.b, k)
	w.b[w.at]++
}

func (w *fieldWriter) uint(k byte, v uint64) {
	if v != 0 {
		w.key(k)
		w.b = appendHead(w.b, majorUint, v)
	}
}

func (w *fieldWriter) int(k byte, v int64) {
	if v != 0 {
		w.key(k)
		w.b = appendInt(w.b, v)
	}
}

func (w *fieldWriter) bool(k byte, v bool) {
	if v {
		w.key(k)
		w.b = append(w.b, cborTrue)
	}
}

func (w *fieldWriter) text(k byte, s string) {
	if s != "" {
		w.key(k)
		w.b = appendText(w.b, s)
	}
}

func (w *fieldWriter) hash(k byte, h *token.Hash) {
	if !h.IsZero() {
		w.key(k)
		w.b = appendHash(w.b, h)
	}
}

func (w *fieldWriter) texts(k byte, list []string) {
	w.ok = w.ok && len(list) <= fastElements
	if len(list) == 0 || !w.ok {
		return
	}
	w.key(k)
	w.b = appendHead(w.b, majorList, uint64(len(list)))
	for _, s := range list {
		w.b = appendText(w.b, s)
	}
}

// pairs writes a map of texts, in the order of its encoded keys: shorter ones first.
func (w *fieldWriter) pairs(k byte, m map[string]string) {
	w.ok = w.ok && len(m) <= fastElements
	if len(m) == 0 || !w.ok {
		return
	}
	keys := make([]string, 0, len(m))
	for name := range m { // order: sorted below
		keys = append(keys, name)
	}
	slices.SortFunc(keys, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
	w.key(k)
	w.b = appendHead(w.b, majorMap, uint64(len(keys)))
	for _, name := range keys {
		w.b = appendText(appendText(w.b, name), m[name])
	}
}

func (w *fieldWriter) record(k byte, rec *token.Record) {
	w.key(k)
	var ok bool
	w.b, ok = appendRecord(w.b, rec)
	w.ok = w.ok && ok
}

// appendHead appends a major type with its argument in the shortest form.
func appendHead(b []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(b, major|byte(n))
	case n <= math.MaxUint8:
		return append(b, major|24, byte(n))
	case n <= math.MaxUint16:
		return append(b, major|25, byte(n>>8), byte(n))
	case n <= math.MaxUint32:
		return append(b, major|26, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	return append(b, major|27, byte(n>>56), byte(n>>48), byte(n>>40), byte(n>>32), byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

func appendInt(b []byte, v int64) []byte {
	if v < 0 {
		return appendHead(b, majorInt, uint64(^v))
	}
	return appendHead(b, majorUint, uint64(v))
}

func appendText(b []byte, s string) []byte {
	return append(appendHead(b, majorText, uint64(len(s))), s...)
}

func appendHash(b []byte, h *token.Hash) []byte {
	return append(appendHead(b, majorBytes, uint64(len(h))), h[:]...)
}

// fieldReader reads deterministic CBOR. It works on a string, so that all texts of a body
// share one piece of memory. Once it has seen anything that it does not take, ok is false and what
// it returns means nothing.
type fieldReader struct {
	s  string
	ok bool
}

// head reads a head of the wanted major type in its shortest form, and returns its argument.
func (r *fieldReader) head(major byte) uint64 {
	if len(r.s) == 0 || r.s[0]&0xe0 != major {
		r.ok = false
		return 0
	}
	info := r.s[0] & 0x1f
	if info < 24 {
		r.s = r.s[1:]
		return uint64(info)
	}
	if info > 27 {
		r.ok = false
		return 0
	}
	size := 1 << (info - 24)
	if len(r.s) <= size {
		r.ok = false
		return 0
	}
	var n uint64
	for _, c := range []byte(r.s[1 : 1+size]) {
		n = n<<8 | uint64(c)
	}
	r.s = r.s[1+size:]
	if n < 24 || (size > 1 && n>>(4*size) == 0) {
		r.ok = false // a shorter form exists
	}
	return n
}

// key reads the key of the next field, which must be greater than the last.
func (r *fieldReader) key(last *uint64) uint64 {
	k := r.head(majorUint)
	if k <= *last {
		r.ok = false
	}
	*last = k
	return k
}

func (r *fieldReader) bytes(major byte) string {
	n := r.head(major)
	if !r.ok || n > uint64(len(r.s)) {
		r.ok = false
		return ""
	}
	s := r.s[:n]
	r.s = r.s[n:]
	return s
}

func (r *fieldReader) text() string { return r.bytes(majorText) }

func (r *fieldReader) hash(h *token.Hash) {
	if s := r.bytes(majorBytes); len(s) == len(h) {
		copy(h[:], s)
	} else {
		r.ok = false
	}
}

func (r *fieldReader) uint(most uint64) uint64 {
	n := r.head(majorUint)
	if n > most {
		r.ok = false
	}
	return n
}

func (r *fieldReader) int() int64 {
	if len(r.s) > 0 && r.s[0]&0xe0 == majorInt {
		n := r.head(majorInt)
		if n > math.MaxInt64 {
			r.ok = false
		}
		return ^int64(n)
	}
	return int64(r.uint(math.MaxInt64))
}

func (r *fieldReader) duration() time.Duration { return time.Duration(r.int()) }

func (r *fieldReader) instant() token.Instant { return token.Instant(r.int()) }

// bool reads true; false is left out when it is written.
func (r *fieldReader) bool() bool {
	if len(r.s) == 0 || r.s[0] != cborTrue {
		r.ok = false
		return false
	}
	r.s = r.s[1:]
	return true
}

// count reads the length of a list or map that is not empty.
func (r *fieldReader) count(major byte) int {
	n := r.head(major)
	if n == 0 || n > fastElements {
		r.ok = false
		return 0
	}
	return int(n)
}

func (r *fieldReader) texts() []string {
	n := r.count(majorList)
	list := make([]string, 0, n)
	for ; n > 0 && r.ok; n-- {
		list = append(list, r.text())
	}
	return list
}

func (r *fieldReader) pairs() map[string]string {
	n := r.count(majorMap)
	m := make(map[string]string, n)
	last, first := "", true
	for ; n > 0 && r.ok; n-- {
		k := r.text()
		if !first && (len(k) < len(last) || (len(k) == len(last) && k <= last)) {
			r.ok = false
		}
		last, first = k, false
		m[k] = r.text()
	}
	return m
}

// fields reads the head of a map with integer keys.
func (r *fieldReader) fields() int {
	n := r.head(majorMap)
	if n > 23 {
		r.ok = false
		return 0
	}
	return int(n)
}

// appendRecord appends rec, and reports false if the library must.
func appendRecord(b []byte, rec *token.Record) ([]byte, bool) {
	w := writeFields(b)
	w.key(1)
	w.b = appendHash(w.b, &rec.Hash)
	w.key(2)
	w.b = appendText(w.b, string(rec.Accessor))
	w.hash(3, &rec.Parent)
	w.key(4)
	w.b = appendHead(w.b, majorUint, uint64(rec.Type))
	w.text(5, rec.DisplayName)
	w.pairs(6, rec.Meta)
	w.texts(7, rec.Policies)
	w.text(8, rec.Path)
	w.text(9, rec.Role)
	w.texts(10, rec.BoundCIDRs)
	w.key(11)
	w.b = appendInt(w.b, int64(rec.Created))
	w.int(12, int64(rec.TTL))
	w.int(13, int64(rec.ExplicitMax))
	w.int(14, int64(rec.Period))
	w.uint(15, uint64(rec.NumUses))
	w.bool(16, rec.Renewable)
	w.uint(17, uint64(rec.UsesLeft))
	w.int(18, int64(rec.Deadline))
	w.int(19, int64(rec.Renewed))
	w.int(20, int64(rec.LeaseTTL))
	if !rec.Login.IsZero() {
		w.login(21, &rec.Login)
	}
	return w.b, w.ok
}

func (r *fieldReader) record(rec *token.Record) {
	last := uint64(0)
	for n := r.fields(); n > 0 && r.ok; n-- {
		switch r.key(&last) {
		case 1:
			r.hash(&rec.Hash)
		case 2:
			rec.Accessor = token.Accessor(r.text())
		case 3:
			r.hash(&rec.Parent)
		case 4:
			rec.Type = token.Type(r.uint(math.MaxUint8))
		case 5:
			rec.DisplayName = r.text()
		case 6:
			rec.Meta = r.pairs()
		case 7:
			rec.Policies = r.texts()
		case 8:
			rec.Path = r.text()
		case 9:
			rec.Role = r.text()
		case 10:
			rec.BoundCIDRs = r.texts()
		case 11:
			rec.Created = r.instant()
		case 12:
			rec.TTL = r.duration()
		case 13:
			rec.ExplicitMax = r.duration()
		case 14:
			rec.Period = r.duration()
		case 15:
			rec.NumUses = uint32(r.uint(math.MaxUint32))
		case 16:
			rec.Renewable = r.bool()
		case 17:
			rec.UsesLeft = uint32(r.uint(math.MaxUint32))
		case 18:
			rec.Deadline = r.instant()
		case 19:
			rec.Renewed = r.instant()
		case 20:
			rec.LeaseTTL = r.duration()
		case 21:
			r.login(&rec.Login)
		default:
			r.ok = false
		}
	}
}
