package cluster

import "github.com/tokengrove/grove/cluster/pki"

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
