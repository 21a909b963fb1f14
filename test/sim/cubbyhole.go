package sim

import (
	"fmt"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/storage"
	"github.com/tokengrove/grove/fsm/token"
)

// cubbyholeCommand makes a command about what the caller keeps for itself.
func (g *generator) cubbyholeCommand() fsm.Command {
	c, path := g.caller(), []string{"a", "b", "d/e", "bad/"}[g.r.IntN(4)]
	if g.r.IntN(4) == 0 {
		return &fsm.DeleteCubbyhole{Caller: c, Path: path}
	}
	n := g.m.tokens[c.Token]
	replaces := n != nil && n.kept[path] != ""
	if g.r.IntN(10) == 0 {
		replaces = !replaces
	}
	return &fsm.WriteCubbyhole{Caller: c, Path: path, Value: fmt.Append(nil, "v", g.r.IntN(100)), Replaces: replaces}
}

// cubbyhole applies a command of cubbyholeCommand.
func (n *node) cubbyhole(c fsm.Command) fsm.Code {
	switch c := c.(type) {
	case *fsm.WriteCubbyhole:
		if c.Path == "bad/" {
			return fsm.Invalid
		}
		if n.kept == nil {
			n.kept = map[string]string{}
		}
		n.kept[c.Path] = string(c.Value)
	case *fsm.DeleteCubbyhole:
		delete(n.kept, c.Path)
	}
	return 0
}

// staleCubbyhole reports whether a write was decided about the wrong one of create and update.
func staleCubbyhole(c fsm.Command, n *node) bool {
	w, ok := c.(*fsm.WriteCubbyhole)
	return ok && (n.kept[w.Path] != "") != w.Replaces
}

// cubbyholeAskedBy returns who asks for a command of cubbyholeCommand.
func cubbyholeAskedBy(c fsm.Command) (fsm.Caller, bool) {
	switch c := c.(type) {
	case *fsm.WriteCubbyhole:
		return c.Caller, true
	case *fsm.DeleteCubbyhole:
		return c.Caller, true
	}
	return fsm.Caller{}, false
}

// compareCubbyhole compares what a token keeps with the model.
func compareCubbyhole(m *fsm.Machine, h token.Hash, n *node, alive bool, at token.Instant) error {
	held, found := m.Cubbyhole(h, at)
	if found != alive || (alive && held.Len() != len(n.kept)) || (!alive && held.Len() > 0) {
		return fmt.Errorf("cubbyhole of %s: found %v, %d entries, want %v and %d", h, found, held.Len(), alive, len(n.kept))
	}
	var wrong error
	held.Walk("", func(path string, e storage.Entry) bool {
		if n.kept[path] != string(e.Value) {
			wrong = fmt.Errorf("cubbyhole of %s has %q at %s, want %q", h, e.Value, path, n.kept[path])
		}
		return wrong == nil
	})
	return wrong
}
