package cluster

import (
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/tokengrove/grove/cluster/pki"
	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/forest"
	"github.com/tokengrove/grove/fsm/token"
)

// Secrets returns what must not be found anywhere but in credentials.json.
func Secrets(dir, joinToken string) ([][]byte, error) {
	c, err := pki.Load(dir)
	if err != nil {
		return nil, err
	}
	t, err := pki.ParseJoinToken(joinToken)
	if err != nil {
		return nil, err
	}
	return [][]byte{c.Key.Seed(), c.Bundle.Issuing().Key.Seed(), t.Key().Seed(), []byte(joinToken)}, nil
}

// Gossips returns how many nodes gossip knows, this one included.
func (n *Node) Gossips() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.gossip == nil {
		return 0
	}
	return n.gossip.NumMembers()
}

// Signer is the fingerprint of the authority that has signed the node's certificate.
func (n *Node) Signer() string { return n.trust.current.Load().signer }

// Authorities is how many authorities the node believes.
func (n *Node) Authorities() int { return len(n.trust.current.Load().Bundle.Authorities) }

// LoseAuthority makes the cluster believe an authority of which nobody has the key, and returns
// its fingerprint.
func (n *Node) LoseAuthority() (string, error) {
	s := n.trust.current.Load()
	a, err := pki.NewAuthority(n.cfg.Rand, s.Name.Cluster, n.cfg.Now())
	if err != nil {
		return "", err
	}
	return a.Fingerprint().String(), n.step(n.ctx, fsm.Trust{Version: 1, Authorities: [][]byte{s.Bundle.Issuing().Certificate.Raw, a.Certificate.Raw}})
}

// CallEverything makes every call that only members may make, and returns what became of each.
func (n *Node) CallEverything(addr string) []error {
	f := n.trust.current.Load().Bundle.Issuing().Fingerprint()
	var errs []error
	for _, kind := range []byte{callPropose, callReadIndex, callRemove, callStepDown, callRotate, callTrust, callAuthority} {
		_, err := n.calls.do(n.ctx, addr, kind, f[:])
		errs = append(errs, err)
	}
	return errs
}

// ErrOtherNode is errOtherNode.
var ErrOtherNode = errOtherNode

// DialAll dials a member in every way that members do.
func (n *Node) DialAll(addr string) map[string]error {
	errs := map[string]error{}
	for _, proto := range []string{protoRaft, protoCalls, protoPipe} {
		conn, err := n.links.dial(proto, addr, 5*time.Second)
		if err == nil {
			conn.Close()
		}
		errs[proto] = err
	}
	return errs
}

// OldLinks is how many links the node has that were made under an older trust.
func (n *Node) OldLinks() (old int) {
	n.links.mu.Lock()
	defer n.links.mu.Unlock()
	for c := range n.links.open {
		if c.version < n.trust.version() {
			old++
		}
	}
	return old
}

// Enroll gets credentials, and goes no further.
func (n *Node) Enroll(ctx context.Context, api, token string) error {
	ctx, cancel := context.WithTimeout(ctx, membershipTimeout)
	defer cancel()
	by, err := n.ticket(token)
	if err != nil {
		return err
	}
	p, err := n.locate(ctx, api)
	if err != nil {
		return err
	}
	return n.apply(ctx, p, by)
}

// UnknownClocks is how many voters' clocks the node has not been told yet.
func (n *Node) UnknownClocks() int {
	others, _ := n.voters()
	return len(n.clocks.unknown(others))
}

// StallDisk makes writes of the log wait until the function that it returns is called.
func (n *Node) StallDisk() (release func()) {
	n.store.turn <- struct{}{}
	return sync.OnceFunc(func() { <-n.store.turn })
}

// Unfit returns why the node must not lead.
func (n *Node) Unfit() string { return n.unfit() }

// Log puts an entry into the log as it is.
func (n *Node) Log(entry []byte) { n.raft().Apply(entry, time.Minute) }

// Bury takes a node out as dead.
func (n *Node) Bury(id string) error { return n.bury(n.pilot.Load(), raft.ServerID(id)) }

// Promote gives a node its vote.
func (n *Node) Promote(id string) error {
	s, _ := serverOf(n.raft(), raft.ServerID(id))
	return n.promote(n.ctx, n.raft(), s.ID, s.Address)
}

// PilotAge is for how long the node's autopilot runs.
func (n *Node) PilotAge() time.Duration { return time.Since(n.pilot.Load().since) }

// Diverge flips a bit in the hash of the youngest token on this replica alone, and returns what it was.
func (n *Node) Diverge() (gone token.Hash, err error) {
	r := n.replica
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.machine.Freeze()
	count, seen := 0, 0
	if err := f.Encoded(func(k fsm.RowKind, _ []byte) error {
		if k == fsm.RowToken {
			count++
		}
		return nil
	}); err != nil {
		return gone, err
	}
	to := fsm.NewRestorer()
	err = f.Encoded(func(k fsm.RowKind, body []byte) error {
		if k == fsm.RowToken {
			if seen++; seen == count {
				var row forest.TokenRow
				if err := fsm.DecodeTokenRow(string(body), &row); err != nil {
					return err
				}
				gone = row.Record.Hash
				other := gone
				other[5] ^= 1
				body = bytes.Replace(body, gone[:], other[:], 1)
			}
		}
		return to.Add(k, bytes.Clone(body))
	})
	if err != nil {
		return gone, err
	}
	r.machine, err = to.Finish()
	return gone, err
}

// Running reports whether Raft runs.
func (n *Node) Running() bool { return n.raft() != nil }

// Vote notes a vote as Raft would, for the term that the node has voted in.
func (n *Node) Vote() error {
	term, err := n.store.GetUint64([]byte("LastVoteTerm"))
	if err != nil {
		term = 0 // it has not voted yet
	}
	return n.store.SetUint64([]byte("LastVoteTerm"), term)
}

// VoteAt is Vote of a node that was let in when the leader had entry admitted. It also stands.
func (n *Node) VoteAt(admitted uint64) error {
	before := n.admitted.Swap(admitted)
	defer n.admitted.Store(before)
	if n.stand() == nil {
		return nil
	}
	return n.Vote()
}
