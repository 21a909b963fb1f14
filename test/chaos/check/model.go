package check

import (
	"github.com/anishathalye/porcupine"

	"github.com/tokengrove/grove/test/chaos/history"
)

// model is a tree of tokens in one place.
var model = porcupine.Model{
	Init: func() any { return state{} },
	Step: func(s, input, _ any) (bool, any) {
		in := input.(step)
		next, ok := in.tree.apply(s.(state), in.op)
		return ok, next
	},
	Equal: func(a, b any) bool { return a.(state) == b.(state) },
}

// alive reports whether a token lives in s. The root token always does.
func (k *kin) alive(s state, id history.Token) bool {
	for id != 0 {
		i, own := k.place[id]
		if !own {
			return true // an orphan's creator, whose death is another tree's business
		}
		if s.made&(1<<i) == 0 || s.dead&(1<<i) != 0 {
			return false
		}
		id = k.world.tokens[id].parent
	}
	return true
}

// apply is one operation: the state after it, and whether its answer is right. Without an answer,
// any is: that it did not happen at all is the same as that it happens after everything.
func (k *kin) apply(s state, o *history.Operation) (state, bool) {
	if o.Kind == history.RevokePrefix {
		if root := k.place[k.token[0]]; o.Outcome != history.Refused && s.made&(1<<root) != 0 {
			s.dead |= 1 << root
		}
		return s, true
	}
	subject := o.By
	if o.Kind == history.Lookup {
		subject = o.Token
	}
	alive := k.alive(s, subject)
	switch {
	case o.Outcome == history.Refused && o.Answer.Status == 403:
		return s, !alive
	case !alive:
		return s, o.Outcome != history.Applied
	}
	s, right := k.charge(s, o)
	switch {
	case o.Outcome == history.Refused:
	case o.Kind == history.Create:
		i := k.place[o.Token]
		s.made |= 1 << i
		s.left[i] = int8(o.Request.Uses)
	case o.Kind == history.Revoke:
		s.dead |= 1 << k.place[o.Token]
	}
	return s, right || o.Outcome == history.Unknown
}

// charge takes a use of who asks, if it is limited, and compares what is left with the answer. The
// last one is served, and the token is dead.
func (k *kin) charge(s state, o *history.Operation) (state, bool) {
	i, own := k.place[o.By]
	if own && k.world.tokens[o.By].limit() > 0 {
		s.left[i]--
		if s.left[i] == 0 {
			s.dead |= 1 << i
		}
	}
	switch {
	case o.Outcome != history.Applied || o.Kind != history.Use && o.Kind != history.Lookup:
		return s, true
	case k.world.tokens[o.Token].limit() == 0:
		return s, o.Answer.Left == 0
	}
	return s, s.left[k.place[o.Token]] == int8(o.Answer.Left)
}
