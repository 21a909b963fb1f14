package check

import (
	"fmt"
	"time"

	"github.com/tokengrove/grove/test/chaos/history"
)

// story builds a history by hand. Times are in milliseconds.
type story struct{ h history.History }

func tell() *story {
	return &story{history.History{Header: history.Header{Nodes: []string{"a", "b", "c"}, Skew: time.Second}}}
}

func (s *story) add(o history.Operation, from, to int) *story {
	o.Number = uint64(len(s.h.Operations) + 1)
	o.Invoke, o.Return = time.Duration(from)*time.Millisecond, time.Duration(to)*time.Millisecond
	if o.Outcome == history.Refused && o.Answer.Status == 0 {
		o.Answer.Status = 403
	}
	s.h.Operations = append(s.h.Operations, o)
	return s
}

// Shorter names for the outcomes.
const (
	yes   = history.Applied
	no    = history.Refused
	not   = history.Not
	maybe = history.Unknown
)

// create makes a token under by that lives for hours.
func (s *story) create(t, by history.Token, uses int32, out history.Outcome, from, to int) *story {
	return s.createAt("auth/token/create", t, by, uses, 2*time.Hour, out, from, to)
}

func (s *story) createAt(path string, t, by history.Token, uses int32, ttl time.Duration, out history.Outcome, from, to int) *story {
	o := history.Operation{Kind: history.Create, Token: t, By: by, Outcome: out, Request: history.Request{Uses: uses, TTL: ttl, Path: path}}
	if out == yes {
		o.Answer.Accessor = accessor(t)
	}
	return s.add(o, from, to)
}

func accessor(t history.Token) string { return fmt.Sprintf("acc%d", t) }

func (s *story) use(t history.Token, left int32, out history.Outcome, from, to int) *story {
	return s.add(history.Operation{Kind: history.Use, Token: t, By: t, Outcome: out, Answer: history.Answer{Left: left}}, from, to)
}

func (s *story) lookup(t history.Token, left int32, out history.Outcome, from, to int) *story {
	return s.add(history.Operation{Kind: history.Lookup, Token: t, Outcome: out, Answer: history.Answer{Left: left}}, from, to)
}

func (s *story) renew(t history.Token, ttl time.Duration, out history.Outcome, from, to int) *story {
	return s.add(history.Operation{Kind: history.Renew, Token: t, By: t, Outcome: out, Request: history.Request{TTL: ttl}}, from, to)
}

func (s *story) revoke(t, by history.Token, out history.Outcome, from, to int) *story {
	return s.add(history.Operation{Kind: history.Revoke, Token: t, By: by, Outcome: out}, from, to)
}

func (s *story) prefix(path string, out history.Outcome, from, to int) *story {
	return s.add(history.Operation{Kind: history.RevokePrefix, Outcome: out, Request: history.Request{Path: path}}, from, to)
}

func (s *story) replay(t history.Token, acc string, from, to int) *story {
	return s.add(history.Operation{Kind: history.Replay, Token: t, Outcome: yes, Answer: history.Answer{Accessor: acc}}, from, to)
}

// audit finds rows, which all nodes list.
func (s *story) audit(at int, rows ...history.Row) *story {
	s.h.Audit = &history.Audit{At: time.Duration(at) * time.Millisecond, Live: make([][]string, 3)}
	for _, r := range rows {
		if r.Accessor == "" {
			r.Accessor = accessor(r.Token)
		}
		s.h.Audit.Rows = append(s.h.Audit.Rows, r)
		for i := range s.h.Audit.Live {
			s.h.Audit.Live[i] = append(s.h.Audit.Live[i], r.Accessor)
		}
	}
	return s
}

// on sets the node of the last operation.
func (s *story) on(node int32) *story {
	s.h.Operations[len(s.h.Operations)-1].Node = node
	return s
}

func (s *story) fault(from, to int, cut ...int) *story {
	s.h.Events = append(s.h.Events, history.Event{Kind: "kill", Nodes: cut, Cut: cut, From: time.Duration(from) * time.Millisecond, To: time.Duration(to) * time.Millisecond})
	return s
}
