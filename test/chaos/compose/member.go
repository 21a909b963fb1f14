package compose

import (
	"context"
	"fmt"
	"net/http"

	"github.com/tokengrove/grove/test/chaos/fault"
)

// remove takes a node out of the cluster, kills it and wipes its disk.
func (v *victim) remove(ctx context.Context, s fault.Step) error {
	n := v.nodes[s.Nodes[0]]
	other := v.nodes[(n.index+1)%len(v.nodes)]
	err := await(ctx, n.name+" is taken out", func() error {
		body := map[string]any{"server_id": n.name}
		return other.call(ctx, http.MethodPost, "sys/storage/raft/remove-peer", v.token, body, nil)
	})
	if err != nil {
		return err
	}
	if err := n.kill(ctx); err != nil {
		return err
	}
	return n.wipe()
}

// rejoin starts it again, empty: it joins by itself.
func (v *victim) rejoin(ctx context.Context, s fault.Step) error {
	if err := v.bootAll(ctx, s); err != nil {
		return err
	}
	return v.awaitVoters(ctx)
}

// awaitVoters returns when all nodes vote.
func (v *victim) awaitVoters(ctx context.Context) error {
	return await(ctx, "all nodes vote", func() error {
		var found map[string]bool
		var err error
		for _, n := range v.nodes { // any one knows
			if found, err = n.voters(ctx, v.token); err == nil {
				break
			}
		}
		for _, n := range v.nodes {
			if err == nil && !found[n.name] {
				err = fmt.Errorf("%s is no voter in %v", n.name, found)
			}
		}
		return err
	})
}
