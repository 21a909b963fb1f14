package lease

import (
	"fmt"
	"slices"
	"testing"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/lease"
	"github.com/tokengrove/grove/fsm/token"
	"github.com/tokengrove/grove/test/harness"
)

// TestNoCallIsLost kills the leader, and then makes the next one step down, while the leases of a dead tree are being
// taken back, with the receiver down in between: every thing is told of at least once, and those of one
// resource in the order of their deaths.
func TestNoCallIsLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3)
	parent := w.child(rootID)
	want := map[string]bool{}
	for i := range 40 {
		name := fmt.Sprintf("tree-%02d", i)
		w.register(parent, "", name)
		want[name] = true
	}
	var line, ids []string
	for i := range 8 {
		line = append(line, fmt.Sprintf("line-%02d", i))
		ids = append(ids, w.register(rootID, "db", line[i]))
		want[line[i]] = true
	}
	w.set(true, nil)
	for _, id := range ids {
		w.do(rootID, "PUT", "sys/leases/revoke", map[string]any{"lease_id": id})
	}
	w.do(rootID, "POST", "auth/token/revoke", map[string]any{"token": parent})
	if code, _, _ := w.call(parent, "GET", "auth/token/lookup-self", nil); code != 403 {
		t.Errorf("the token of leases that cannot be taken back answers %d, want 403", code)
	}
	harness.Await(t, "the receiver was asked", func() bool { return w.refusals() > 5 })

	held := make(chan struct{})
	w.set(false, held) // up again, and slow
	leader := w.Leader()
	leader.Kill()
	next := w.Leader()
	close(held)
	harness.Await(t, "some calls", func() bool { return len(w.firsts()) > 3 })
	if err := next.StepDown(t.Context()); err != nil {
		t.Logf("step down: %v", err)
	}
	w.awaitDone()
	leader.Start()
	w.awaitDone()

	got := w.firsts()
	for _, name := range got {
		delete(want, name)
	}
	if len(want) > 0 {
		t.Errorf("never told of %v", want)
	}
	inLine := slices.DeleteFunc(got, func(n string) bool { return !slices.Contains(line, n) })
	if !slices.Equal(inLine, line) {
		t.Errorf("of one resource told in the order %q, want %q", inLine, line)
	}
}

// TestRestart: what is to be taken back outlives all nodes at once, in the log and in a snapshot.
func TestRestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.set(true, nil)
	id := w.child(rootID)
	for i := range 5 {
		w.register(id, "r", fmt.Sprint(i))
	}
	kept := w.register(rootID, "", "kept")
	w.do(id, "POST", "auth/token/revoke-self", nil)
	w.do(rootID, "DELETE", "sys/mounts/nothing", nil)
	n := w.Nodes[0]
	n.Kill()
	n.Start()
	w.Leader()
	if left := w.left(n); left != 5 {
		t.Errorf("%d to take back after the restart, want 5", left)
	}
	w.set(false, nil)
	w.awaitDone()
	if got := w.firsts(); !slices.Equal(got, []string{"0", "1", "2", "3", "4"}) {
		t.Errorf("told of %q", got)
	}
	n.View(func(m *fsm.Machine) {
		if _, ok := m.Lease(kept, 0); !ok {
			t.Error("a lease of a live token is gone")
		}
	})
	w.do(rootID, "DELETE", "sys/mounts/hook", nil)
	w.awaitDone()
	if got := w.firsts(); !slices.Contains(got, "kept") {
		t.Errorf("disabling the mount told of %q", got)
	}
	n.View(func(m *fsm.Machine) {
		if left := m.Revocations("", 10, token.Instant(0), func(*lease.Lease) bool { return true }); len(left) > 0 {
			t.Errorf("left are %+v", left)
		}
	})
}

// TestExpiry: the leader notices when a lease is over.
func TestExpiry(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.do(rootID, "POST", "hook/leases", map[string]any{"url": w.receiver.URL, "ttl": "1s", "data": map[string]any{"name": "short"}})
	harness.Await(t, "the call", func() bool { return slices.Contains(w.firsts(), "short") })
	w.awaitDone()
}
