package cluster

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/tokengrove/grove/fsm"
)

// send delivers a batch, however often that takes. numbered is the session in which its
// proposals have numbers, zero if they have none yet.
func (e *edge) send(batch []*proposal, numbered fsm.SessionID) {
	for len(batch) > 0 {
		t, era, err := e.node.leader(e.node.ctx, batch[0].start)
		if err != nil {
			batch = e.giveUpOverdue(batch, err)
			continue
		}
		batch, numbered, err = e.attempt(era, t, batch, numbered)
		var no refusal
		switch {
		case err == nil:
		case !errors.As(err, &no):
			e.node.pause(e.node.ctx, era)
		case len(batch) > 1: // one bad command must not take the others along
			mid := len(batch) / 2
			e.send(batch[:mid:mid], numbered)
			batch = batch[mid:]
		default:
			e.session.giveUp(batch[0], fsm.Errorf(fsm.Unavailable, "the leader refused: %s", no))
			return
		}
	}
}

// attempt sends the batch once, and returns what must be sent again. It stops waiting when
// ctx ends, with the leader: the answer of a lost one may never come.
func (e *edge) attempt(ctx context.Context, t target, batch []*proposal, numbered fsm.SessionID) ([]*proposal, fsm.SessionID, error) {
	toLeader := func(ctx context.Context, g fsm.Group) ([]fsm.Result, error) { return e.node.toLeader(ctx, t, g) }
	if err := e.session.open(ctx, e.node.self.ID, toLeader); err != nil {
		return batch, numbered, err
	}
	batch, g := e.session.depart(batch, numbered)
	if len(batch) == 0 {
		return nil, numbered, nil
	}
	rs, err := toLeader(ctx, g)
	if err != nil {
		e.session.landed(batch, certain(err))
		return batch, g.Session, err
	}
	if again := e.answer(batch, rs, g.Session); len(again) > 0 {
		return again, fsm.SessionID{}, nil
	}
	return nil, g.Session, nil
}

// certain reports whether err means that nothing happened.
func certain(err error) bool {
	var no refusal
	var unsent notSent
	return errors.Is(err, errNotLeader) || errors.Is(err, errBusy) || errors.As(err, &no) || errors.As(err, &unsent)
}

// toLeader has a group applied by the leader t.
func (n *Node) toLeader(ctx context.Context, t target, g fsm.Group) ([]fsm.Result, error) {
	if t.local {
		return n.proposer.submit(ctx, g)
	}
	size := 8 + groupHead
	for _, it := range g.Items {
		size += len(it.Body) + itemHead
	}
	arg := binary.BigEndian.AppendUint64(make([]byte, 0, size), t.term)
	out, err := n.calls.do(ctx, t.addr, callPropose, fsm.AppendGroup(arg, g))
	if err != nil {
		return nil, err
	}
	rs, err := fsm.DecodeResults(out)
	if err == nil && len(rs) != len(g.Items) {
		err = fmt.Errorf("%d results for %d commands", len(rs), len(g.Items))
	}
	return rs, err
}

// answer ends the proposals that have a result, and returns those that must be sent
// again under a new session.
func (e *edge) answer(batch []*proposal, rs []fsm.Result, session fsm.SessionID) []*proposal {
	var again []*proposal
	for i, p := range batch {
		switch {
		case rs[i].Code != fsm.NoSession:
			e.session.finish(p, answer{result: rs[i]})
		case e.session.renumber(p):
			again = append(again, p)
		default:
			e.session.giveUp(p, errors.New("the edge session was lost"))
		}
	}
	if len(again) > 0 {
		if err := e.session.replace(session); err != nil {
			e.node.log.Error("edge session", "error", err)
		}
	}
	return again
}

// giveUpOverdue gives up what has waited for a leader as long as the node's patience, and
// returns the rest, which came later.
func (e *edge) giveUpOverdue(batch []*proposal, why error) []*proposal {
	n := e.node
	var keep []*proposal
	hopeless := n.ctx.Err() != nil || n.replica.failure() != nil || n.expelled()
	for _, p := range batch {
		if !hopeless && time.Since(n.waitsSince(p.start)) < n.cfg.stretch(patience) {
			keep = append(keep, p)
			continue
		}
		e.session.giveUp(p, why)
	}
	return keep
}
