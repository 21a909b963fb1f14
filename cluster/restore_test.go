package cluster_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/token"
	"github.com/tokengrove/grove/snapshot"
	"github.com/tokengrove/grove/test/harness"
)

// saved takes a snapshot through n.
func saved(t *testing.T, n *harness.Node) []byte {
	t.Helper()
	image, err := n.SaveSnapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := image.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// content is the hash of what a restore brings.
func content(t *testing.T, m *fsm.Machine) [32]byte {
	t.Helper()
	d, err := snapshot.Digest(m.Freeze().Portable())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func contentOf(t *testing.T, n *harness.Node) (d [32]byte) {
	t.Helper()
	n.View(func(m *fsm.Machine) { d = content(t, m) })
	return d
}

func alive(t *testing.T, n *harness.Node, h token.Hash) bool {
	t.Helper()
	_, ok, err := lookup(n, h)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

// TestRestore: the state of a snapshot is the state of all nodes, asked of any of them, and what was
// revoked meanwhile comes back, which is said.
func TestRestore(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3})
	kept, revoked := create(c, c.Nodes[0], 0), create(c, c.Nodes[1], 0)
	file := saved(t, c.Followers()[0])
	after := create(c, c.Nodes[2], 0)
	if r, err := c.Nodes[0].Propose(ctx, &fsm.RevokeToken{Caller: fsm.Caller{Token: c.Root, Epoch: 1}, Target: fsm.Target{Token: revoked}}); err != nil || r.Count != 1 {
		t.Fatalf("revoke: %+v, %v", r, err)
	}
	back, err := c.Followers()[1].RestoreSnapshot(ctx, bytes.NewReader(file), false)
	if err != nil {
		t.Fatal(err)
	}
	if back.Tokens != 3 || back.Returned != 1 || back.Lost != 1 || back.StoreEpoch != 1 {
		t.Errorf("restored %+v, want 3 tokens of which 1 returned, 1 lost, store epoch 1", back)
	}
	for _, n := range c.Nodes {
		if !alive(t, n, kept) || !alive(t, n, revoked) || alive(t, n, after) {
			t.Errorf("%s does not have the state of the snapshot", n.Name)
		}
	}
	m, err := snapshot.Read(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range c.Nodes {
		if contentOf(t, n) != content(t, m) {
			t.Errorf("%s has another content than the snapshot", n.Name)
		}
		n.View(func(m *fsm.Machine) {
			if len(m.Members()) != 3 || m.Lineage().StoreEpoch != 1 || m.Check() != nil {
				t.Errorf("%s: members %v, lineage %+v, check %v", n.Name, m.Members(), m.Lineage(), m.Check())
			}
		})
	}
	for _, n := range c.Nodes {
		cmd := newToken(c, 0)
		cmd.Caller.Epoch = 100 // made after the restore
		n.View(func(m *fsm.Machine) { cmd.Caller.Epoch = m.Epoch() })
		if r, err := n.Propose(ctx, cmd); err != nil || r.Err() != nil || r.Stale {
			t.Errorf("a write through %s afterwards: %+v, %v", n.Name, r, err)
		}
		old := newToken(c, 0)
		if r, err := n.Propose(ctx, old); err != nil || !r.Stale {
			t.Errorf("a decision from before the restore: %+v, %v, want stale", r, err)
		}
	}
	f := c.Followers()[0]
	f.Kill()
	f.Start()
	if !alive(t, f, revoked) {
		t.Error("the restored state is lost by a restart")
	}
}

// TestRestoreElsewhere: a snapshot of another cluster is only taken by force; then everything in it is
// there, and the cluster is still itself.
func TestRestoreElsewhere(t *testing.T) {
	t.Parallel()
	a := harness.Start(t, harness.Options{Nodes: 1})
	b := harness.Start(t, harness.Options{Nodes: 3})
	h := create(a, a.Nodes[0], 0)
	file := saved(t, a.Nodes[0])
	var e *fsm.Error
	if _, err := b.Nodes[1].RestoreSnapshot(ctx, bytes.NewReader(file), false); !errors.As(err, &e) || e.Code != fsm.Invalid || !strings.Contains(e.Message, "force") {
		t.Fatalf("of another cluster: %v, want Invalid, and how to force it", err)
	}
	var before fsm.Identity
	b.Nodes[0].View(func(m *fsm.Machine) { before = m.Identity() })
	if _, err := b.Nodes[1].RestoreSnapshot(ctx, bytes.NewReader(file), true); err != nil {
		t.Fatal(err)
	}
	for _, n := range b.Nodes {
		if !alive(t, n, h) {
			t.Errorf("%s does not have the token", n.Name)
		}
		n.View(func(m *fsm.Machine) {
			if m.Identity().ClusterID != before.ClusterID || len(m.Members()) != 3 {
				t.Errorf("%s became %v with members %v", n.Name, m.Identity(), m.Members())
			}
		})
		if contentOf(t, n) != contentOf(t, a.Nodes[0]) {
			t.Errorf("%s has another content than the cluster that was saved", n.Name)
		}
	}
	b.Add("n4") // nodes can still join
	b.AwaitVoters(4)
}

// TestNothingOfAWrongFileIsRestored: cut, flipped, padded, broken off: refused by leader and follower, and nothing
// has changed.
func TestNothingOfAWrongFileIsRestored(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3})
	file := saved(t, c.Nodes[0])
	h := create(c, c.Nodes[0], 0)
	flipped := bytes.Clone(file)
	flipped[len(flipped)/2] ^= 1
	for name, r := range map[string]io.Reader{
		"cut":     bytes.NewReader(file[:len(file)-1]),
		"flipped": bytes.NewReader(flipped),
		"padded":  bytes.NewReader(append(bytes.Clone(file), 0)),
		"empty":   bytes.NewReader(nil),
		"broken":  io.MultiReader(bytes.NewReader(file), iotest.ErrReader(errors.New("connection reset"))),
	} {
		for _, n := range []*harness.Node{c.Leader(), c.Followers()[0]} {
			var e *fsm.Error
			if _, err := n.RestoreSnapshot(ctx, r, true); !errors.As(err, &e) || e.Code != fsm.Invalid {
				t.Errorf("%s through %s: %v, want Invalid", name, n.Name, err)
			}
			if s, ok := r.(io.Seeker); ok {
				s.Seek(0, io.SeekStart)
			}
		}
	}
	for _, n := range c.Nodes {
		if !alive(t, n, h) {
			t.Errorf("%s lost a token to a refused restore", n.Name)
		}
	}
}

// TestRestoreUnderLoad: clients that write and read on all nodes while a snapshot is restored are answered
// from before or from after, everybody in the same order, or told that nothing was done.
func TestRestoreUnderLoad(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3})
	file := saved(t, c.Nodes[0])
	marker := create(c, c.Nodes[0], 0) // alive before, gone after
	runCtx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	var gone sync.Map // reader saw the marker gone
	writes := make(chan error, 1)
	for i, n := range c.Nodes {
		wg.Go(func() {
			for runCtx.Err() == nil {
				_, sawGone := gone.Load("gone")
				_, ok, err := lookup(n, marker)
				var e *fsm.Error
				switch {
				case err != nil && (!errors.As(err, &e) || e.Code != fsm.Unavailable):
					t.Errorf("read: %v", err)
				case err != nil:
				case ok && sawGone:
					t.Errorf("%s shows the state from before after somebody saw the one from after", n.Name)
				case !ok:
					gone.Store("gone", true)
				}
			}
		})
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 7))
			for runCtx.Err() == nil {
				cmd := newToken(c, 0)
				n.View(func(m *fsm.Machine) { cmd.Caller.Epoch = m.Epoch() })
				res, err := n.Propose(ctx, cmd)
				var e *fsm.Error
				if err != nil && (!errors.As(err, &e) || e.Code != fsm.Unavailable) || err == nil && res.Err() != nil {
					select {
					case writes <- errors.Join(err, res.Err()):
					default:
					}
				}
				time.Sleep(time.Duration(r.IntN(3)) * time.Millisecond)
			}
		})
	}
	for i := range 3 {
		if _, err := c.Nodes[i].RestoreSnapshot(ctx, bytes.NewReader(file), false); err != nil {
			t.Errorf("restore %d: %v", i, err)
		}
	}
	if alive(t, c.Nodes[0], marker) {
		t.Error("the marker is still there")
	}
	cancel()
	wg.Wait()
	select {
	case err := <-writes:
		t.Errorf("write: %v, want a result, or certainly not applied", err)
	default:
	}
	harness.Await(t, "equal states", func() bool { return sameStates(t, c.Nodes) })
}

func sameStates(t *testing.T, nodes []*harness.Node) bool {
	var first [32]byte
	for i, n := range nodes {
		var d [32]byte
		var err error
		n.View(func(m *fsm.Machine) { d, err = snapshot.Digest(m.Freeze()) })
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = d
		}
		if d != first {
			return false
		}
	}
	return true
}
