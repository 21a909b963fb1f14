package cluster

import (
	"context"
	"time"

	"github.com/tokengrove/grove/cluster/seal"
	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/keyring"
	"github.com/tokengrove/grove/fsm/token"
)

// keyPause is how often the leader looks whether the cluster needs a new data key, and a node whether it can open
// those that there are.
const keyPause = time.Second

// Keys is what seals and opens on this node.
func (n *Node) Keys() *seal.Keyring { return n.seals }

// firstKey makes the keyring of a cluster that was just made, so that whoever is told of the cluster can seal.
func (n *Node) firstKey(ctx context.Context) error {
	k, err := n.seals.Mint()
	if err != nil || k.Term != 1 {
		return err
	}
	r, err := n.Propose(ctx, &fsm.AddKey{Key: k})
	if err != nil {
		return err
	}
	if err := r.Err(); err != nil {
		return err
	}
	return n.WaitIndex(ctx, r.Index)
}

// keepKeys makes the first data key of a cluster of an earlier build, one that this node can open after a snapshot of another
// cluster was restored, and a new one whenever the last is too old, while this node leads.
func (n *Node) keepKeys(ctx context.Context) {
	for ctx.Err() == nil {
		if why := n.needsKey(); why != "" {
			err := n.addKey(ctx)
			if err == nil {
				n.log.Info("the cluster has a new data key", "reason", why, "term", n.dataKeys().Last().Term)
			} else if ctx.Err() == nil {
				n.log.Warn("the cluster needs a new data key, and the leader tries again", "reason", why, "error", err)
			}
		}
		n.rest(ctx, keyPause)
	}
}

func (n *Node) dataKeys() (r *keyring.Ring) {
	n.View(func(m *fsm.Machine) { r = m.Keyring() })
	return r
}

// needsKey says why the leader must add a key, "" if it need not.
func (n *Node) needsKey() string {
	var made bool
	n.View(func(m *fsm.Machine) { made = m.Initialized() })
	r := n.dataKeys()
	switch {
	case !made || n.trust.sealKey().IsZero():
		return ""
	case len(r.Keys) == 0:
		return "it has none"
	case r.Last().Seal != n.trust.sealKey().ID():
		return "the last one is sealed under another seal key"
	case r.Due(token.InstantOf(n.cfg.Now())):
		return "the last one is older than the interval of rotation"
	}
	return ""
}

// addKey adds one on the leader. That another came first is no error: then there is one.
func (n *Node) addKey(ctx context.Context) error {
	k, err := n.seals.Mint()
	if err != nil {
		return err
	}
	_, err = n.system(ctx, &fsm.AddKey{Key: k})
	return err
}

// watchKeys says loudly when this node cannot open a key of the keyring, until the node closes.
func (n *Node) watchKeys() {
	tick := time.NewTicker(keyPause)
	defer tick.Stop()
	var seen *keyring.Ring
	for {
		if r := n.dataKeys(); r != seen {
			seen = r
			if err := n.seals.Check(); err != nil {
				n.log.Error("this node cannot open all data keys: login methods and batch tokens that need them are refused here", "error", err)
			}
		}
		select {
		case <-tick.C:
		case <-n.ctx.Done():
			return
		}
	}
}
