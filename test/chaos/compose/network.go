package compose

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/tokengrove/grove/test/chaos/fault"
)

// rule is one line of iptables in the network namespace of a node.
type rule struct {
	node int
	line string // after "-A "
}

// network is which links are disturbed, by the number of the step. The rules of a node are always
// written as a whole, from all steps, so that overlapping ones cannot undo each other.
type network struct {
	cluster *Cluster
	mu      sync.Mutex // guards rules, and is held while they are written
	rules   map[int][]rule
}

// cut lets nothing through in some directions. Both ends drop, so that it outlasts the restart of one.
func (w *network) cut(ctx context.Context, step int, cuts []fault.Cut) error {
	var rs []rule
	for _, c := range cuts {
		from, to := w.cluster.nodes[c.From], w.cluster.nodes[c.To]
		rs = append(rs, rule{to.index, fmt.Sprintf("INPUT -s %s -j DROP", from.ip)}, rule{from.index, fmt.Sprintf("OUTPUT -d %s -j DROP", to.ip)})
	}
	return w.set(ctx, step, rs)
}

// each puts a rule on all that a node sends to and gets from the others.
func (w *network) each(ctx context.Context, step int, n *node, what string) error {
	var rs []rule
	for _, other := range w.cluster.nodes {
		if other != n {
			rs = append(rs, rule{n.index, fmt.Sprintf("INPUT -s %s %s", other.ip, what)}, rule{n.index, fmt.Sprintf("OUTPUT -d %s %s", other.ip, what)})
		}
	}
	return w.set(ctx, step, rs)
}

// set replaces the rules of a step; none are no disturbance.
func (w *network) set(ctx context.Context, step int, rs []rule) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	touched := map[int]bool{}
	for _, r := range append(w.rules[step], rs...) {
		touched[r.node] = true
	}
	w.rules[step] = rs
	if len(rs) == 0 {
		delete(w.rules, step)
	}
	return w.writeAll(ctx, func(n *node) bool { return touched[n.index] })
}

// writeAll is write, for several nodes side by side.
func (w *network) writeAll(ctx context.Context, which func(n *node) bool) error {
	errs := make([]error, len(w.cluster.nodes))
	var wg sync.WaitGroup
	for i, n := range w.cluster.nodes {
		if which(n) {
			wg.Go(func() { errs[i] = w.write(ctx, n) })
		}
	}
	wg.Wait()
	return errors.Join(errs...)
}

// restore writes the rules of a node that has a new network namespace, which has none.
func (w *network) restore(ctx context.Context, n *node) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, rs := range w.rules { // order: any will do
		if slices.ContainsFunc(rs, func(r rule) bool { return r.node == n.index }) {
			return w.write(ctx, n)
		}
	}
	return nil
}

// clear takes all rules off all nodes.
func (w *network) clear(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.rules)
	return w.writeAll(ctx, func(*node) bool { return true })
}

// write is called with mu held. A node that does not run has no rules.
func (w *network) write(ctx context.Context, n *node) error {
	pid, err := n.pid(ctx)
	if err != nil || pid == "0" {
		return err
	}
	var b strings.Builder
	b.WriteString("*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n")
	for _, rs := range w.rules { // order: rules only drop or delay
		for _, r := range rs {
			if r.node == n.index {
				fmt.Fprintf(&b, "-A %s\n", r.line)
			}
		}
	}
	b.WriteString("COMMIT\n")
	_, err = runWith(ctx, b.String(), "nsenter", "-t", pid, "-n", "iptables-restore", "-w", "10")
	if err != nil {
		if now, again := n.pid(ctx); again == nil && now != pid {
			return nil // it ended meanwhile; who starts it writes its rules
		}
	}
	return err
}
