package cluster

import (
	"context"

	"github.com/tokengrove/grove/fsm"
)

type checker struct{}

func newChecker() checker { return checker{} }

// CheckReplicas is to come.
func (n *Node) CheckReplicas(ctx context.Context) (fsm.CheckReport, error) {
	return fsm.CheckReport{}, fsm.Errorf(fsm.Unavailable, "the check of replicas is to come")
}
