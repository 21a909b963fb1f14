package compose

import (
	"context"
	"errors"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tokengrove/grove/test/chaos/fault"
)

var containers = flag.Bool("containers", false, "run the tests that need root and Docker")

// effects say what must be so while a fault of the kind holds; kinds that only slow down are not here.
var effects = map[string]func(t *testing.T, v *victim, s fault.Step){
	fault.Kill:           dead,
	fault.RollingRestart: dead,
	fault.Replace:        replaced,
	fault.Blackout:       silent,
	fault.Pause:          silent,
	fault.RestartStorm:   dead,
	fault.Partition:      silent,
	fault.Deaf:           silent,
	fault.Mute:           silent,
	fault.Slow:           slowed,
	fault.DiskFull:       full,
}

// TestEachKind does each kind of fault once to three containers: it must have its effect, and be gone
// when it was healed.
func TestEachKind(t *testing.T) {
	if !*containers {
		t.Skip("needs root and Docker: go test ./test/chaos/compose -containers")
	}
	c := cluster(t)
	v := (*victim)(c)
	for i, kind := range fault.Kinds() {
		t.Run(kind, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			start := time.Now()
			s := fault.Step{Number: i + 1, Kind: kind, Nodes: []int{1}, Level: 80}
			switch kind {
			case fault.Bridge, fault.Ring:
				s.Nodes = []int{1, 0, 2}
			case fault.Blackout:
				s.Nodes = []int{1, 0}
			}
			err := v.Inject(ctx, s)
			if err == nil && effects[kind] != nil {
				effects[kind](t, v, s)
			}
			if err := errors.Join(err, v.Heal(ctx, s), v.Await(ctx, (*Cluster)(v).numbers()), v.awaitVoters(ctx)); err != nil {
				t.Fatal(err)
			}
			t.Logf("%v", time.Since(start).Round(time.Millisecond))
		})
	}
}

func cluster(t *testing.T) *Cluster {
	t.Helper()
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(Config{Root: root, Size: 3, DiskBytes: 96 << 20, Logf: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(c.dir); err == nil {
			t.Errorf("%s is left", c.dir)
		}
	})
	if _, err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// read is a read through a node that needs the leader.
func read(v *victim, n int) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return v.nodes[n].call(ctx, http.MethodGet, "auth/token/lookup-self", v.token, nil, nil)
}

func dead(t *testing.T, v *victim, s fault.Step) {
	if err := read(v, s.Nodes[0]); err == nil {
		t.Error("the node answers")
	}
	if err := v.Await(t.Context(), []int{0, 2}); err != nil {
		t.Error(err)
	}
}

// silent: the node cannot reach a majority, and so must not answer.
func silent(t *testing.T, v *victim, s fault.Step) {
	if err := read(v, s.Nodes[0]); err == nil {
		t.Error("the node answers")
	}
}

func replaced(t *testing.T, v *victim, s fault.Step) {
	dead(t, v, s)
	if left, err := os.ReadDir(v.nodes[s.Nodes[0]].data()); err != nil || len(left) > 0 {
		t.Errorf("on the disk that was wiped: %v, %v", left, err)
	}
	voters, err := v.nodes[0].voters(t.Context(), v.token)
	if _, in := voters[v.nodes[s.Nodes[0]].name]; in || err != nil {
		t.Errorf("the node was taken out; members: %v, %v", voters, err)
	}
}

// slowed: a node that asks the leader over a line of 170 ms each way takes twice that; as a leader it
// takes it to ask the others.
func slowed(t *testing.T, v *victim, s fault.Step) {
	var times []time.Duration
	for range 3 {
		start := time.Now()
		if err := v.Await(t.Context(), s.Nodes); err != nil {
			t.Fatal(err)
		}
		times = append(times, time.Since(start))
	}
	if fastest := slices.Min(times); fastest < 250*time.Millisecond {
		t.Errorf("reads took %v over a slow line", times)
	}
}

func full(t *testing.T, v *victim, s fault.Step) {
	if err := os.WriteFile(filepath.Join(v.nodes[s.Nodes[0]].data(), "more"), make([]byte, 1<<16), 0o600); err == nil {
		t.Error("there is room on the disk")
	}
}
