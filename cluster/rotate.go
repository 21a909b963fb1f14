package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/tokengrove/grove/cluster/pki"
	"github.com/tokengrove/grove/fsm"
)

// A rotation replaces the cluster's authority without downtime, in three steps of the log. The
// leader takes each when every server of the configuration has done what the step before asks:
//
//	1  [old, new], old signs   believe both, hold both keys
//	2  [old, new], new signs   show a certificate of the new one
//	3  [new]                   forget the old one, and the links that were made under it
//
// The log has certificates only. The key of the new authority goes from member to member over
// their links. A server that is down holds a rotation up, since it would be locked out
// otherwise: it comes back, or is taken out of the configuration.

const (
	// followPause is how often a node looks whether the cluster believes others than it does.
	followPause = 300 * time.Millisecond
	// authorityMargin is how long before its end an authority is replaced without being asked.
	authorityMargin = 365 * 24 * time.Hour
)

// signer is what a node says of its own trust.
type signer struct {
	Version   uint64 `json:"version"`
	Authority string `json:"authority"` // fingerprint of the one that has signed its certificate
}

// RotateCA starts to replace the cluster's authority; it goes on by itself. It does nothing
// when that is under way.
func (n *Node) RotateCA(ctx context.Context) error {
	if n.raft() == nil {
		return errNoCluster()
	}
	_, err := n.ask(ctx, callRotate, nil)
	return err
}

// TrustStatus says how far a rotation is.
func (n *Node) TrustStatus(ctx context.Context) (fsm.TrustStatus, error) {
	var st fsm.TrustStatus
	if n.raft() == nil {
		return st, errNoCluster()
	}
	b, err := n.ask(ctx, callTrust, nil)
	if err == nil {
		err = json.Unmarshal(b, &st)
	}
	return st, err
}

// agreed is the trust that the machine holds.
func (n *Node) agreed() (t fsm.Trust) {
	n.View(func(m *fsm.Machine) { t = m.Trust() })
	return t
}

// serveRotate takes the first step.
func (n *Node) serveRotate(ctx context.Context, _ []byte) ([]byte, error) {
	if _, err := n.awaitReady(ctx); err != nil {
		return nil, err
	}
	n.joining.Lock()
	defer n.joining.Unlock()
	t, s := n.agreed(), n.trust.current.Load()
	switch {
	case len(t.Authorities) > 1:
		return nil, nil // under way
	case s.Bundle.Version != t.Version:
		return nil, errBusy // this node is about to follow
	}
	return nil, n.introduce(ctx, t, s)
}

// introduce makes a new authority, and has the cluster believe it beside the one that signs. The
// leader keeps its key in memory until it has followed the step itself; if it dies before, a
// later leader makes another. n.joining is held.
func (n *Node) introduce(ctx context.Context, t fsm.Trust, s *stance) error {
	a, err := pki.NewAuthority(n.cfg.Rand, s.Name.Cluster, n.cfg.Now())
	if err != nil {
		return err
	}
	n.trust.setSpare(a)
	n.log.Info("the cluster gets a new authority", "fingerprint", a.Fingerprint())
	return n.step(ctx, fsm.Trust{Version: t.Version + 1, Authorities: [][]byte{s.Bundle.Issuing().Certificate.Raw, a.Certificate.Raw}})
}

// step proposes one step.
func (n *Node) step(ctx context.Context, t fsm.Trust) error {
	_, err := n.system(ctx, &fsm.PutTrust{Trust: t})
	var no *fsm.Error
	if errors.As(err, &no) {
		return refusal(no.Message)
	}
	return err
}

// advance takes the next step of a rotation, on the leader, if every server is ready for it. seen is
// what they said a moment ago.
func (n *Node) advance(ctx context.Context, r *raft.Raft, seen map[raft.ServerID]info) {
	if !n.joining.TryLock() {
		return // a node is being taken in, which might not be ready
	}
	defer n.joining.Unlock()
	t, s := n.agreed(), n.trust.current.Load()
	if s.Bundle.Version != t.Version {
		return
	}
	if len(t.Authorities) < 2 {
		if n.cfg.Now().After(s.Bundle.Issuing().Certificate.NotAfter.Add(-authorityMargin)) {
			n.log.Info("the cluster's authority is about to end")
			n.note("rotating the authority", n.introduce(ctx, t, s))
		}
		return
	}
	if len(lagging(t, s, r.GetConfiguration().Configuration().Servers, seen)) > 0 {
		return
	}
	next := fsm.Trust{Version: t.Version + 1, Authorities: t.Authorities, Issuer: 1}
	if t.Issuer == 1 {
		next.Authorities, next.Issuer = t.Authorities[1:], 0
	}
	n.log.Info("the rotation of the authority goes on", "version", next.Version, "authorities", len(next.Authorities), "issuer", next.Issuer)
	n.note("rotating the authority", n.step(ctx, next))
}

func (n *Node) note(what string, err error) {
	if err != nil {
		n.log.Debug(what+"; the leader tries again", "error", err)
	}
}

// lagging returns the servers that have not done what step t asks of them.
func lagging(t fsm.Trust, s *stance, servers []raft.Server, seen map[raft.ServerID]info) []string {
	signs := s.Bundle.Issuing().Fingerprint().String()
	var ids []string
	for _, sv := range servers {
		in, ok := seen[sv.ID]
		if !ok || in.Trust.Version < t.Version || (t.Issuer == 1 && in.Trust.Authority != signs) {
			ids = append(ids, string(sv.ID))
		}
	}
	return ids
}

// serveTrust says on the leader how far a rotation is, and whom it waits for.
func (n *Node) serveTrust(ctx context.Context, _ []byte) ([]byte, error) {
	r, err := n.leading()
	if err != nil {
		return nil, err
	}
	t, s := n.agreed(), n.trust.current.Load()
	st := fsm.TrustStatus{Version: s.Bundle.Version, Rotating: len(t.Authorities) > 1 || s.Bundle.Version != t.Version}
	for i, a := range s.Bundle.Authorities {
		st.Authorities = append(st.Authorities, fsm.AuthorityStatus{Fingerprint: a.Fingerprint().String(), Signs: i == s.Bundle.Issuer, End: a.Certificate.NotAfter})
	}
	if st.Rotating {
		servers := r.GetConfiguration().Configuration().Servers
		seen := map[raft.ServerID]info{}
		for _, sv := range servers {
			if in, err := n.infoOf(ctx, string(sv.ID), string(sv.Address)); err == nil && in.Member.ID == string(sv.ID) {
				seen[sv.ID] = in
			}
		}
		st.Waiting = lagging(t, s, servers, seen)
	}
	return json.Marshal(st)
}

// follow makes this node believe what the cluster has agreed on, until the node closes.
func (n *Node) follow() {
	tick := time.NewTicker(followPause)
	defer tick.Stop()
	for last := ""; ; {
		err := n.catchUp()
		if err != nil && err.Error() != last {
			last = err.Error()
			n.log.Warn("following a rotation of the authority", "error", err)
		}
		select {
		case <-tick.C:
		case <-n.ctx.Done():
			return
		}
	}
}

// catchUp takes one step on this node.
func (n *Node) catchUp() error {
	t, s := n.agreed(), n.trust.current.Load()
	if t.Version <= s.Bundle.Version {
		return nil
	}
	b, err := s.Bundle.Follow(t.Version, t.Authorities, int(t.Issuer))
	if err != nil {
		return err
	}
	for i := range b.Authorities {
		if a := &b.Authorities[i]; a.Key == nil {
			if *a, err = n.fetch(t, s, *a); err != nil {
				return err
			}
		}
	}
	if err := n.trust.adopt(b); err != nil {
		return err
	}
	n.rekeyGossip()
	if len(b.Authorities) < len(s.Bundle.Authorities) {
		n.links.closeBefore(b.Version)
	}
	n.log.Info("this node follows the rotation of the authority", "version", b.Version, "authorities", len(b.Authorities))
	return nil
}

// errNoKey means that nobody in the cluster holds the key of an authority.
var errNoKey = errors.New("no member holds the key of the new authority")

// fetch asks the members for an authority's key. When all answer that they do not have it, it was
// lost with the leader that made it; then the leader of now makes another authority.
func (n *Node) fetch(t fsm.Trust, s *stance, a pki.Authority) (pki.Authority, error) {
	if spare, ok := n.trust.spareOf(a.Fingerprint()); ok {
		return spare, nil
	}
	ctx, cancel := context.WithTimeout(n.ctx, membershipTimeout)
	defer cancel()
	f := a.Fingerprint()
	var silent error
	for _, sv := range n.raft().GetConfiguration().Configuration().Servers {
		if string(sv.ID) == n.self.ID {
			continue
		}
		seed, err := n.calls.do(ctx, string(sv.Address), callAuthority, f[:])
		var no refusal
		switch {
		case err == nil:
			return a.WithKey(seed)
		case !errors.As(err, &no):
			silent = fmt.Errorf("asking %s for the key of the new authority: %w", sv.ID, err)
		}
	}
	if silent != nil {
		return a, silent
	}
	if _, err := n.leading(); err == nil && t.Issuer == 0 {
		n.log.Warn("the key of the new authority was lost with a former leader; making another")
		n.joining.Lock()
		defer n.joining.Unlock()
		if err := n.introduce(ctx, t, s); err != nil {
			return a, err
		}
	}
	return a, errNoKey
}

// serveAuthority hands the key of an authority to a member.
func (n *Node) serveAuthority(ctx context.Context, arg []byte) ([]byte, error) {
	if from := callerOf(ctx); !n.isServer(from) {
		return nil, refusal(fmt.Sprintf("node %s is not a member of the cluster", from))
	}
	for _, a := range n.trust.held() {
		if f := a.Fingerprint(); bytes.Equal(f[:], arg) {
			return a.Key.Seed(), nil
		}
	}
	return nil, refusal("this node does not hold the key of that authority")
}

// isServer reports whether the Raft configuration has a node.
func (n *Node) isServer(id string) bool {
	r := n.raft()
	if r == nil {
		return false
	}
	for _, s := range r.GetConfiguration().Configuration().Servers {
		if string(s.ID) == id {
			return true
		}
	}
	return false
}
