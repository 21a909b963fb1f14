package cluster

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/hashicorp/raft"
)

// announce tells the leader this node's address when it is not the one in the configuration:
// a member may come back elsewhere. It asks whoever it knows until its own entry is right, or
// the leader says that it is no member.
func (n *Node) announce() {
	tick := time.NewTicker(4 * seekPause)
	defer tick.Stop()
	for {
		servers := n.raft().GetConfiguration().Configuration().Servers
		for _, s := range servers {
			if string(s.ID) == n.self.ID && string(s.Address) == n.self.ClusterAddr {
				return
			}
		}
		for _, addr := range n.leaders(servers) {
			err := n.announceTo(addr)
			var no refusal
			if errors.As(err, &no) {
				n.log.Error("the cluster does not take this node back", "reason", err)
				n.lead.setRemoved(true)
				return
			}
			if err == nil {
				break
			}
			n.log.Debug("announcing the own address", "leader", addr, "error", err)
		}
		select {
		case <-tick.C:
		case <-n.ctx.Done():
			return
		}
	}
}

// announceTo presents this node as a returning one to the leader at addr, which may be itself.
func (n *Node) announceTo(addr string) error {
	if addr != n.self.ClusterAddr {
		_, err := n.present(n.ctx, addr, n.clusterID(), true)
		return err
	}
	in := n.info()
	in.Returning, in.Birth = true, n.birth()
	arg, err := json.Marshal(in)
	if err != nil {
		return err
	}
	_, err = n.serveJoin(n.ctx, arg)
	return err
}

// leaders asks everyone that this node has heard of where the leader is: members in the
// configuration, in gossip, and behind the configured API addresses.
func (n *Node) leaders(servers []raft.Server) []string {
	var found []string
	seen := map[string]bool{"": true}
	note := func(addr string) {
		if !seen[addr] {
			found = append(found, addr)
		}
		seen[addr] = true
	}
	asked := n.gossiped()
	for _, s := range servers {
		asked = append(asked, string(s.Address))
	}
	note(n.info().Leader)
	for _, addr := range asked {
		if in, err := n.infoOf(n.ctx, "", addr); err == nil && in.Member.ID != n.self.ID {
			note(in.Leader)
		}
	}
	for _, api := range n.cfg.Join.Addresses {
		if p, err := n.locate(n.ctx, api); err == nil && p.ClusterID == n.clusterID() {
			note(p.Leader)
		}
	}
	return found
}
