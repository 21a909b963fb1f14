package sim

import (
	"slices"

	"github.com/tokengrove/grove/fsm"
	book "github.com/tokengrove/grove/fsm/answer"
	"github.com/tokengrove/grove/fsm/token"
)

// kept is what the model remembers of a request under a key.
type kept struct {
	caller  *node
	key     book.Key
	request book.Digest
	at      token.Instant
	final   bool // it ended its caller, but not by using it up
}

// hears reports whether the caller of k may still be told what it was answered.
func (m *model) hears(k *kept) bool {
	n := k.caller
	switch {
	case m.at.Sub(k.at) >= book.Lifetime:
		return false
	case k.final || m.alive(n):
		return true
	}
	return n.usedUp && !n.rec.Expired(m.at) && (n.parent == nil || m.alive(n.parent))
}

func (m *model) remembered(h token.Hash, key book.Key) *kept {
	for _, k := range m.kept {
		if k.caller.rec.Hash == h && k.key == key && m.hears(k) {
			return k
		}
	}
	return nil
}

// once applies a command under a key.
func (m *model) once(o *fsm.Once) answer {
	c := mustCommand(fsm.Item{Kind: o.Inner, Body: o.Body})
	caller, epoch, _ := askedBy(c)
	if caller.IsZero() {
		return answer{code: fsm.Invalid, uses: -1}
	}
	switch k := m.remembered(caller, o.Key); {
	case k == nil:
	case k.request != o.Request:
		return answer{code: fsm.KeyReused, uses: -1}
	default:
		return answer{code: fsm.Replayed, uses: -1}
	}
	n := m.find(fsm.Target{Token: caller})
	if n == nil {
		return answer{code: fsm.Forbidden, uses: -1}
	}
	if create, ok := c.(*fsm.CreateToken); ok && slices.ContainsFunc(create.Token.Policies, func(p string) bool { return m.changed[p] > epoch }) {
		return answer{stale: true, uses: -1}
	}
	a := m.step(c)
	if a.stale {
		return a
	}
	k := &kept{caller: n, key: o.Key, request: o.Request, at: m.at, final: !m.alive(n) && !n.usedUp}
	m.kept = slices.DeleteFunc(m.kept, func(old *kept) bool { return old.caller == n && (old.key == o.Key || k.final) })
	m.kept = append(m.kept, k)
	return a
}

// silence forgets what was answered to callers that have used themselves up and are revoked after all.
func (m *model) silence(is func(*node) bool) {
	m.kept = slices.DeleteFunc(m.kept, func(k *kept) bool { return k.caller.usedUp && is(k.caller) })
}
