package cluster

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/policy"
	"github.com/tokengrove/grove/fsm/token"
)

// entryLog makes the log entry at index of commands of the system.
func entryLog(t *testing.T, index uint64, cs ...fsm.Command) *raft.Log {
	t.Helper()
	var g fsm.Group
	for i, c := range cs {
		k, body, err := fsm.EncodeCommand(c)
		if err != nil {
			t.Fatal(err)
		}
		g.Items = append(g.Items, fsm.Item{Seq: uint64(i + 1), Kind: k, Body: body})
	}
	return &raft.Log{Index: index, Type: raft.LogCommand, Data: fsm.AppendEntry(nil, fsm.Entry{At: 1, Groups: []fsm.Group{g}})}
}

// TestReadersComeBetweenReclaimingEntries: while dead tokens are reclaimed, which takes each entry some
// milliseconds, the lock is let go after every one; otherwise a batch is one step.
func TestReadersComeBetweenReclaimingEntries(t *testing.T) {
	t.Parallel()
	r := newReplica(hclog.NewNullLogger())
	root := token.Record{Hash: token.Hash{1}, Accessor: "root", Type: token.Service, Policies: []string{policy.Root}, Path: "auth/token/root"}
	r.ApplyBatch([]*raft.Log{entryLog(t, 1, &fsm.Initialize{ClusterID: "c", Root: root, Policies: []policy.Policy{{Name: policy.Default}}})})
	var cs []fsm.Command
	for i := range 10_000 { // more than two entries reclaim
		rec := token.Record{Accessor: token.Accessor(fmt.Sprint("a", i)), Type: token.Service, Path: "auth/token/create", TTL: 1e12, Policies: []string{policy.Default}}
		binary.BigEndian.PutUint32(rec.Hash[4:], uint32(i+1))
		c := &fsm.CreateToken{Token: rec}
		if top := (token.Hash{7: 1}); i > 0 {
			c.Token.Parent, c.Caller = top, fsm.Caller{Token: top, Epoch: r.machine.Epoch()}
		}
		cs = append(cs, c)
	}
	logs := []*raft.Log{entryLog(t, 2, cs...)}
	take := func(want int) {
		t.Helper()
		out := make([]any, len(logs))
		n, _ := r.applySome(logs, out)
		for _, o := range out[:n] {
			if err := o.(outcome).err; err != nil {
				t.Fatal(err)
			}
			for i, res := range o.(outcome).results {
				if err := res.Err(); err != nil || res.Stale {
					t.Fatalf("command %d: stale %v, %v", i, res.Stale, err)
				}
			}
		}
		if n != want {
			t.Fatalf("%d of %d entries in one step, want %d", n, len(logs), want)
		}
		logs = logs[n:]
	}
	take(1)
	logs = append(logs, entryLog(t, 3, &fsm.RevokeToken{Target: fsm.Target{Token: token.Hash{7: 1}}}))
	for i := uint64(4); i < 8; i++ {
		logs = append(logs, entryLog(t, i, &fsm.Tick{}))
	}
	take(1) // some 6,000 wait
	take(1) // some 2,000
	take(3) // the rest of the batch: nothing waits after its first
	if r.machine.ReclaimPending() || len(logs) != 0 {
		t.Errorf("%d entries are left, pending %v", len(logs), r.machine.ReclaimPending())
	}
}
