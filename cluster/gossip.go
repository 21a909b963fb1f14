package cluster

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/tokengrove/grove/fsm"
)

// meta is what a node gossips: a hint of where it is. Only Raft decides who is a member.
type meta struct {
	ID      string `json:"i"`
	Of      string `json:"o"` // cluster ID
	Cluster string `json:"c"` // address
	API     string `json:"a"`
	Version string `json:"v"`
}

// gossipDelegate gives memberlist the node's meta and nothing else.
type gossipDelegate struct{ meta []byte }

// NodeMeta implements memberlist.Delegate.
func (d gossipDelegate) NodeMeta(limit int) []byte { return d.meta[:min(limit, len(d.meta))] }

// NotifyMsg implements memberlist.Delegate.
func (gossipDelegate) NotifyMsg([]byte) {}

// GetBroadcasts implements memberlist.Delegate.
func (gossipDelegate) GetBroadcasts(int, int) [][]byte { return nil }

// LocalState implements memberlist.Delegate.
func (gossipDelegate) LocalState(bool) []byte { return nil }

// MergeRemoteState implements memberlist.Delegate.
func (gossipDelegate) MergeRemoteState([]byte, bool) {}

// gossipKeyBytes makes memberlist encrypt with AES-256-GCM.
const gossipKeyBytes = 32

// gossipKeys derives the keys of gossip from the cluster's authorities: messages are encrypted
// with the key of the one that signs, and read with the key of any.
func (n *Node) gossipKeys() (*memberlist.Keyring, error) {
	s := n.trust.current.Load()
	primary, err := s.Bundle.Issuing().Derive(s.Name.Cluster, "gossip", gossipKeyBytes)
	if err != nil {
		return nil, err
	}
	var all [][]byte
	for _, a := range s.Bundle.Authorities {
		if a.Key == nil {
			continue
		}
		k, err := a.Derive(s.Name.Cluster, "gossip", gossipKeyBytes)
		if err != nil {
			return nil, err
		}
		all = append(all, k)
	}
	return memberlist.NewKeyring(all, primary)
}

// rekeyGossip makes gossip follow the authorities.
func (n *Node) rekeyGossip() {
	n.mu.Lock()
	ring := n.keyring
	n.mu.Unlock()
	if ring == nil {
		return
	}
	now, err := n.gossipKeys()
	if err != nil {
		n.log.Warn("the keys of gossip", "error", err)
		return
	}
	for _, k := range now.GetKeys() {
		err = errors.Join(err, ring.AddKey(k))
	}
	err = errors.Join(err, ring.UseKey(now.GetPrimaryKey()))
	for _, k := range ring.GetKeys() {
		if !slices.ContainsFunc(now.GetKeys(), func(o []byte) bool { return bytes.Equal(o, k) }) {
			err = errors.Join(err, ring.RemoveKey(k))
		}
	}
	if err != nil {
		n.log.Warn("the keys of gossip", "error", err)
	}
}

// startGossip starts memberlist on the port after the cluster port, encrypted, and labelled
// with the cluster's ID, so that clusters which share a network never mix. A failure is logged
// and harmless. n.mu is held.
func (n *Node) startGossip() {
	if n.cfg.Tune.NoGossip {
		return
	}
	_, port, err := net.SplitHostPort(n.links.listener.Addr().String())
	if err != nil {
		n.log.Warn("gossip", "error", err)
		return
	}
	bindHost, _, _ := net.SplitHostPort(n.cfg.ClusterAddr)
	host, gossipPort, err := gossipAddr(net.JoinHostPort(bindHost, port))
	if err != nil {
		n.log.Warn("gossip is off", "error", err)
		return
	}
	m, err := json.Marshal(meta{ID: n.self.ID, Of: n.id.ClusterID, Cluster: n.self.ClusterAddr, API: n.self.APIAddr, Version: n.self.Version})
	if err != nil {
		n.log.Warn("gossip is off", "error", err)
		return
	}
	c := memberlist.DefaultLANConfig()
	c.Name = n.self.ID
	c.BindAddr, c.BindPort = host, gossipPort
	if c.BindAddr == "" {
		c.BindAddr = "0.0.0.0"
	}
	if adv, p, err := gossipAddr(n.self.ClusterAddr); err == nil && net.ParseIP(adv) != nil {
		c.AdvertiseAddr, c.AdvertisePort = adv, p
	}
	c.Label = n.id.ClusterID
	c.GossipVerifyIncoming, c.GossipVerifyOutgoing = true, true
	if n.keyring, err = n.gossipKeys(); err != nil {
		n.log.Warn("gossip is off", "error", err)
		return
	}
	c.Keyring = n.keyring
	c.TCPTimeout = dialTimeout // Close waits for a Join that is under way
	c.DeadNodeReclaimTime = 30 * time.Second
	c.Delegate = gossipDelegate{m}
	c.LogOutput = io.Discard
	g, err := memberlist.Create(c)
	if err != nil {
		n.log.Warn("gossip is off; Raft goes on without it", "error", err)
		return
	}
	n.gossip = g
	n.spawn(n.mingle)
}

// mingle joins the gossip of the members that Raft knows, until there is more than this node.
func (n *Node) mingle() {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for {
		n.mu.Lock()
		g := n.gossip
		n.mu.Unlock()
		var peers []string
		n.View(func(m *fsm.Machine) {
			for _, mb := range m.Members() {
				if host, port, err := gossipAddr(mb.ClusterAddr); err == nil && mb.ID != n.self.ID {
					peers = append(peers, net.JoinHostPort(host, strconv.Itoa(port)))
				}
			}
		})
		if g != nil && len(peers) > 0 && g.NumMembers() <= len(peers) {
			if _, err := g.Join(peers); err != nil {
				n.log.Debug("gossip", "error", err)
			}
		}
		select {
		case <-tick.C:
		case <-n.ctx.Done():
			return
		}
	}
}

// gossiped returns the cluster addresses that gossip knows.
func (n *Node) gossiped() []string {
	n.mu.Lock()
	g := n.gossip
	n.mu.Unlock()
	if g == nil {
		return nil
	}
	var addrs []string
	own := n.clusterID()
	for _, nd := range g.Members() {
		var m meta
		if json.Unmarshal(nd.Meta, &m) == nil && m.Of == own && m.Cluster != "" && m.ID != n.self.ID {
			addrs = append(addrs, m.Cluster)
		}
	}
	return addrs
}
