package cluster

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/tokengrove/grove/cluster/pki"
	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/token"
)

// A newcomer gets its certificate, and what all members hold, over a connection of its own: a frame
// with its certificate request there, a frame with a status and the grant back. TLS has proved
// before that both sides know the cluster key; or that the newcomer holds a join token, and that
// the member has a certificate of the authority which the token names.

const (
	// tagRequest is the tag of a newcomer's frame.
	tagRequest byte = 7
	// requestBytes bounds it: who sends it is nobody yet.
	requestBytes = 16 << 10
	// newcomers is how many are served at the same time.
	newcomers = 8
)

// ticket is what lets this node into a cluster: the join token, or, if that is nil, the cluster key.
type ticket struct {
	token  *pki.JoinToken
	shared bool
}

// again reports whether a node whose credentials were not taken can get others: the cluster key
// lets it in as often as it likes.
func (t *ticket) again(err error) bool {
	var no refusal
	var unsent notSent
	return t.shared && (errors.As(err, &no) || errors.As(err, &unsent))
}

// ticket returns what the node has: the given token, else the cluster key, else the
// configured token.
func (n *Node) ticket(token string) (*ticket, error) {
	if token == "" && n.trust.shared == nil {
		token = n.cfg.Join.Token
	}
	if token == "" {
		return &ticket{shared: n.trust.shared != nil}, nil
	}
	t, err := pki.ParseJoinToken(token)
	return &ticket{token: &t}, err
}

// apply asks the member that p points to for credentials.
func (n *Node) apply(ctx context.Context, p pointer, by *ticket) error {
	if by.token == nil && !by.shared {
		return refusal("this node has nothing that lets it in: give it a join token (`grove operator join-token` on a member makes one), or the cluster key that the members have")
	}
	a, err := n.trust.apply(n.self.ID, n.birth())
	if err != nil {
		return err
	}
	request, err := a.Request(n.cfg.Rand)
	if err != nil {
		return err
	}
	cfg, err := n.trust.newcomer(by.token)
	if err != nil {
		return err
	}
	conn, err := n.links.secure(p.Leader, dialTimeout, cfg)
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	conn.SetDeadline(deadline)
	if err := writeFrame(conn, tagRequest, request); err != nil {
		return err
	}
	grant, err := readOutcome(conn, p.Leader)
	if err != nil {
		return err
	}
	c, err := a.Accept(grant)
	switch {
	case err != nil:
		return err
	case c.Name.Cluster != p.ClusterID:
		return refusal(fmt.Sprintf("the address is of cluster %s, but the member is of cluster %s", p.ClusterID, c.Name.Cluster))
	}
	return n.trust.admitted(c)
}

// serveNewcomer answers a node that asks for a certificate.
func (n *Node) serveNewcomer(conn *tls.Conn, st tls.ConnectionState) {
	defer conn.Close()
	select {
	case n.trust.slots <- struct{}{}:
		defer func() { <-n.trust.slots }()
	default:
		writeOutcome(conn, nil, errBusy)
		return
	}
	conn.SetDeadline(time.Now().Add(membershipTimeout))
	ctx, cancel := context.WithTimeout(n.ctx, membershipTimeout)
	defer cancel()
	out, err := n.admit(ctx, io.LimitReader(conn, requestBytes), st)
	if err != nil {
		n.log.Warn("refused a node that wants to join", "from", conn.RemoteAddr(), "error", err)
	}
	writeOutcome(conn, out, err)
}

// admit makes the grant for a newcomer. Only the leader does: it knows who is a member.
func (n *Node) admit(ctx context.Context, r io.Reader, st tls.ConnectionState) ([]byte, error) {
	tag, der, err := readFrame(bufio.NewReader(r))
	if err != nil || tag != tagRequest {
		return nil, refusal("malformed request for a certificate")
	}
	node, key, err := pki.ParseRequest(der)
	if err != nil {
		return nil, refusal(err.Error())
	}
	if _, err := n.awaitReady(ctx); err != nil {
		return nil, err
	}
	ra, err := n.leading()
	if err != nil {
		return nil, err
	}
	if err := n.awaitSilence(ctx, ra, node); err != nil {
		return nil, err
	}
	if st.NegotiatedProtocol == protoToken {
		if err := n.useJoinToken(ctx, st, pki.HashKey(key)); err != nil {
			return nil, err
		}
	}
	if err := n.supersede(ctx, ra, node); err != nil {
		return nil, err
	}
	n.log.Info("a certificate for a node that joins", "id", node.Node, "by", st.NegotiatedProtocol)
	s := n.trust.current.Load()
	if s.Bundle.Version < n.agreed().Version {
		return nil, errBusy // a rotation goes on, and this node is about to follow
	}
	return s.Grant(n.cfg.Rand, node, key, n.cfg.Now(), n.cfg.Tune.CertificateLife)
}

// useJoinToken uses up the token that the peer has proved to hold, for the key of a node.
func (n *Node) useJoinToken(ctx context.Context, st tls.ConnectionState, node [32]byte) error {
	key, err := pki.KeyOf(st.PeerCertificates[0])
	if err != nil {
		return refusal(err.Error())
	}
	c := &fsm.UseJoinToken{Hash: pki.HashKey(key), Node: node}
	known := false
	n.View(func(m *fsm.Machine) { _, known = m.JoinToken(c.Hash, token.InstantOf(n.cfg.Now())) })
	if !known { // strangers do not get at the log
		return refusal(fsm.UnknownJoinToken)
	}
	_, err = n.system(ctx, c)
	var no *fsm.Error
	if errors.As(err, &no) {
		return refusal(no.Message)
	}
	return err
}

// MintJoinToken makes a join token, and the hash under which the cluster is to know it: the token
// lets nobody in before PutJoinToken is applied.
func (n *Node) MintJoinToken() (text string, h fsm.JoinHash, err error) {
	s := n.trust.current.Load()
	if s == nil {
		return "", h, errNoCluster()
	}
	t, err := pki.NewJoinToken(n.cfg.Rand, s.Bundle.Issuing().Fingerprint())
	if err != nil {
		return "", h, err
	}
	return t.Text(), t.Hash(), nil
}
