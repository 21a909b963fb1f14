package httpapi

import (
	"fmt"
	"strconv"
	"time"

	"github.com/tokengrove/grove/fsm"
)

// saveSnapshot sends the state as a file.
func saveSnapshot(rq *request) (*response, error) {
	if rq.api.cfg.Snapshots == nil {
		return nil, errUnsupported
	}
	image, err := rq.api.cfg.Snapshots.SaveSnapshot(rq.ctx)
	if err != nil {
		return nil, err
	}
	return &response{file: &file{write: image.Write, headers: map[string]string{
		"Content-Type":        "application/octet-stream",
		"Content-Disposition": fmt.Sprintf("attachment; filename=%q", image.ID+".snap"),
		"X-Grove-Snapshot-Id": image.ID, "X-Grove-Index": strconv.FormatUint(image.Index, 10),
	}}}, nil
}

// restoreSnapshot makes a snapshot of this cluster its state.
func restoreSnapshot(rq *request) (*response, error) { return restore(rq, false) }

// forceSnapshot makes any snapshot the state of this cluster.
func forceSnapshot(rq *request) (*response, error) { return restore(rq, true) }

func restore(rq *request, force bool) (*response, error) {
	if rq.api.cfg.Snapshots == nil {
		return nil, errUnsupported
	}
	c, err := rq.api.cfg.Snapshots.RestoreSnapshot(rq.ctx, rq.upload(), force)
	if err != nil {
		return nil, err
	}
	// The caller's token may be gone now, and what it was charged for is done.
	rq.answered, rq.index = true, c.Applied
	rq.warn("%s", comebackText(c))
	if keys := rq.api.cfg.Keys; keys != nil {
		if err := keys.Check(); err != nil {
			rq.warn("SEALED DATA CANNOT BE READ: %v", err)
		}
	}
	return &response{data: comebackData(c), mount: "system"}, nil
}

// comebackText says loudly what a restore has done.
func comebackText(c fsm.Comeback) string {
	return fmt.Sprintf("the state of the whole cluster is now that of %s: %d tokens live, of which %d had been revoked, used up or never made here and WORK AGAIN; "+
		"%d that were made since live no more. Revoke what must not work. Every node must have a clock that is right: what has expired since is dead.",
		c.At.Time().UTC().Format(time.RFC3339), c.Tokens, c.Returned, c.Lost)
}

func comebackData(c fsm.Comeback) map[string]any {
	return map[string]any{
		"snapshot_cluster_id": c.Cluster, "snapshot_index": c.Index, "snapshot_time": c.At.Time().UTC().Format(time.RFC3339Nano),
		"tokens": c.Tokens, "tokens_returned": c.Returned, "tokens_lost": c.Lost,
		"store_epoch": c.StoreEpoch, "state_hash": c.Hash, "index": c.Applied,
	}
}

// checkReplicas compares and verifies the states of all nodes.
func checkReplicas(rq *request) (*response, error) {
	if rq.api.cfg.Snapshots == nil {
		return nil, errUnsupported
	}
	report, err := rq.api.cfg.Snapshots.CheckReplicas(rq.ctx)
	return checked(rq, report, err)
}

// lastCheck is what the leader found when it last compared them by itself.
func lastCheck(rq *request) (*response, error) {
	if rq.api.cfg.Snapshots == nil {
		return nil, errUnsupported
	}
	report, err := rq.api.cfg.Snapshots.LastCheck(rq.ctx)
	return checked(rq, report, err)
}

func checked(rq *request, report fsm.CheckReport, err error) (*response, error) {
	if err != nil {
		return nil, err
	}
	nodes := []map[string]any{}
	for _, n := range report.Nodes {
		nodes = append(nodes, map[string]any{"node_id": n.ID, "index": n.Index, "state_hash": n.Hash, "state": n.State, "error": n.Error})
		if n.State != fsm.CheckOK {
			rq.warn("node %s: %s: %s", n.ID, n.State, n.Error)
		}
	}
	return &response{data: map[string]any{"ok": report.OK(), "index": report.Index, "state_hash": report.Hash, "nodes": nodes}, mount: "system"}, nil
}
