package acl

import (
	"cmp"
	"slices"
	"sort"
	"strings"

	"github.com/tokengrove/grove/fsm/policy"
)

// wildcards finds the patterns with wildcards that match a path, by falling priority.
//
// The first thing that decides between two patterns is where their first wildcard is: later
// wins. Therefore the patterns are grouped by what is before it, their head. The heads that
// a path starts with are prefixes of one another, so they form a chain; it begins at the
// last head that does not sort after the path, and each head knows the next shorter one.
type wildcards []head

type head struct {
	text     string
	shorter  int // the longest other head that text starts with; -1: none
	patterns []pattern
}

// pattern is one pattern of a head, which at least the head of it matches.
type pattern struct {
	plain bool   // "head*": matches whatever has the head
	glob  bool   // ends in "*"
	tail  string // the pattern from the segment of its first wildcard on, without the "*" at its end
	from  int    // where in the path the tail begins
	plus  int    // number of "+" segments
	*permission
}

// newWildcards arranges drafts, which are by pattern as written.
func newWildcards(drafts map[string]*draft) wildcards {
	byHead := map[string][]pattern{}
	for _, d := range drafts {
		text := d.Path
		if d.Segments {
			text = d.Path[:strings.IndexByte(d.Path, '+')]
		}
		byHead[text] = append(byHead[text], newPattern(d, text))
	}
	w := make(wildcards, 0, len(byHead))
	for text, ps := range byHead {
		slices.SortFunc(ps, byPriority)
		w = append(w, head{text: text, patterns: ps})
	}
	slices.SortFunc(w, func(a, b head) int { return cmp.Compare(a.text, b.text) })
	for i := range w {
		// A prefix of w[i] which is not a prefix of w[i-1] would sort between the two.
		j := i - 1
		for j >= 0 && !strings.HasPrefix(w[i].text, w[j].text) {
			j = w[j].shorter
		}
		w[i].shorter = j
	}
	return w
}

func newPattern(d *draft, head string) pattern {
	p := pattern{plain: !d.Segments, glob: d.Glob, permission: d.permission()}
	p.from = strings.LastIndexByte(head, '/') + 1
	p.tail = d.Path[p.from:]
	for segment := range strings.SplitSeq(d.Path, "/") {
		if segment == "+" {
			p.plus++
		}
	}
	return p
}

// byPriority orders patterns with the same head: first what does not end in "*", then what
// has fewer "+", then the longer, then the greater.
func byPriority(a, b pattern) int {
	if a.glob != b.glob {
		if b.glob {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(a.plus, b.plus), cmp.Compare(len(b.tail), len(a.tail)), cmp.Compare(b.tail, a.tail))
}

// matches reports whether p matches path, which has the head of p.
func (p *pattern) matches(path string) bool {
	if p.plain {
		return true
	}
	tail, path := p.tail, path[p.from:]
	for {
		want, tailRest, tailMore := strings.Cut(tail, "/")
		have, pathRest, pathMore := strings.Cut(path, "/")
		switch {
		case p.glob && !tailMore:
			return strings.HasPrefix(have, want)
		case want != "+" && want != have:
			return false
		case !tailMore:
			return !pathMore
		case !pathMore:
			return false
		}
		tail, path = tailRest, pathRest
	}
}

// cursor walks the patterns that match a path, by falling priority. Of several plain
// prefixes only the longest counts.
type cursor struct {
	wild  wildcards
	path  string
	head  int
	next  int
	plain bool // a plain prefix was seen
}

func (w wildcards) walk(path string) cursor {
	i := sort.Search(len(w), func(i int) bool { return w[i].text > path }) - 1
	if i >= 0 {
		for n := common(w[i].text, path); i >= 0 && len(w[i].text) > n; {
			i = w[i].shorter
		}
	}
	return cursor{wild: w, path: path, head: i}
}

// common returns how many bytes a and b have in common at their start.
func common(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// match is a pattern that matches, and its place in the order of priority.
type match struct {
	*permission
	head  int // length of the head
	order int // among the patterns of the head
}

// under reports whether another match has priority over m. The heads of both are prefixes
// of the same path, so equal lengths are equal heads.
func (m match) under(other match) bool {
	if m.head != other.head {
		return m.head < other.head
	}
	return m.order > other.order
}

// step returns the next match; its permission is nil if there is none.
func (c *cursor) step() match {
	for c.head >= 0 {
		h := &c.wild[c.head]
		for c.next < len(h.patterns) {
			p := &h.patterns[c.next]
			c.next++
			if (p.plain && c.plain) || !p.matches(c.path) {
				continue
			}
			c.plain = c.plain || p.plain
			return match{permission: p.permission, head: len(h.text), order: c.next - 1}
		}
		c.head, c.next = h.shorter, 0
	}
	return match{}
}

// find returns the permission for path; nil if no pattern matches.
func (w wildcards) find(path string) *permission {
	if len(w) == 0 {
		return nil
	}
	c := w.walk(path)
	return c.step().permission
}

// findList returns the permission to list a folder, whose path ends in "/". Rules are
// written with and without that slash, so patterns for either count: the best that grants
// list, unless a better one denies; without any of these, the best.
func (w wildcards) findList(path string) *permission {
	if len(w) == 0 {
		return nil
	}
	var deny, list, best match
	for _, form := range [2]string{path, strings.TrimSuffix(path, "/")} {
		c := w.walk(form)
		for m := c.step(); m.permission != nil; m = c.step() {
			keep(&best, m)
			if m.bits&policy.Deny != 0 {
				keep(&deny, m)
			}
			if m.bits&policy.List != 0 {
				keep(&list, m)
				break // what is below it cannot matter
			}
		}
	}
	switch {
	case deny.permission != nil && (list.permission == nil || list.under(deny)):
		return deny.permission
	case list.permission != nil:
		return list.permission
	}
	return best.permission
}

// keep sets best to m if m is better.
func keep(best *match, m match) {
	if best.permission == nil || best.under(m) {
		*best = m
	}
}
