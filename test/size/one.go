package main

import (
	"fmt"
	"os"
	"time"
)

// settling is how long a node has after a start before its memory is looked at.
const settling = 3 * time.Second

// clients of a load.
const clients = 8

// soon makes a node take snapshots all the time.
const soon = "snapshot_threshold = 300\n  trailing_logs = 100\n  snapshot_interval = \"2s\""

// one measures a node of so many tokens: memory, restart, and what a snapshot does to others.
func (o *options) one(t *table, tokens int) error {
	n, err := newNode(o.bin, o.dir, fmt.Sprint("one-", tokens), soon)
	if err != nil {
		return err
	}
	defer os.RemoveAll(n.dir)
	defer n.kill()
	if err := n.found(); err != nil {
		return err
	}
	pause(settling)
	empty, err := n.resident()
	if err != nil {
		return err
	}
	n.kill()
	s := shape{tokens: tokens, tree: tokens / 2, chain: min(o.chain, tokens/10)}
	if err := lay(n, s); err != nil {
		return fmt.Errorf("laying down the state: %w", err)
	}
	took, err := n.serve()
	if err != nil {
		return err
	}
	name := func(what string) string { return fmt.Sprintf("%s tokens: %s", number(tokens), what) }
	t.time(name("restart until the API answers"), took, 20*time.Second)
	pause(settling)
	full, err := n.resident()
	if err != nil {
		return err
	}
	t.bytes(name("resident a token"), (full-empty)/float64(tokens), 400)
	return o.underLoad(t, n, s, empty, name)
}

// underLoad measures the pauses of collector and snapshots, and what others wait for meanwhile.
func (o *options) underLoad(t *table, n *node, s shape, empty float64, name func(string) string) error {
	begin := time.Now()
	l := startLoad(clients, mix(s, n))
	pause(o.load)
	err := until("a snapshot under load", func() (bool, error) {
		done, err := n.events(wrote, begin)
		return len(done) > 0, err
	})
	end := time.Now()
	if lerr := l.end(); lerr != nil {
		return fmt.Errorf("under load: %w", lerr)
	}
	if err != nil {
		return err
	}
	freezes, err := n.events(froze, begin)
	if err != nil {
		return err
	}
	writes, err := n.events(wrote, begin)
	if err != nil {
		return err
	}
	if err := collections(t, n, begin, name); err != nil {
		return err
	}
	t.time(name("pause of a snapshot"), longest(freezes), 5*time.Millisecond)
	t.time(name("writing a snapshot under load"), longest(writes), 0)
	w := writes[0]
	for _, kind := range []struct {
		what  string
		write bool
	}{{"lookup", false}, {"write", true}} {
		all, beside := l.took(kind.write, begin, end), l.took(kind.write, w.At.Add(-w.Took), w.At)
		t.time(name(kind.what+" under load, p99"), quantile(all, 0.99), 0)
		t.time(name(kind.what+" while a snapshot is written, p99"), quantile(beside, 0.99), 0)
		t.time(name(kind.what+" while a snapshot is written, longest"), quantile(beside, 1), 150*time.Millisecond)
	}
	full, err := n.resident()
	if err != nil {
		return err
	}
	t.bytes(name("resident a token, under load, garbage included"), (full-empty)/float64(s.tokens), 400)
	return nil
}

// collections says what the collector did since begin.
func collections(t *table, server *node, begin time.Time, name func(string) string) error {
	es, err := server.events(memory, begin.Add(settling)) // each tells of the time since the one before
	if err != nil {
		return err
	}
	var p99, stops, most time.Duration
	var n uint64
	for _, e := range es {
		p99, stops, most = max(p99, e.P99), max(stops, e.Stops), max(most, e.Longest)
		n += e.Pauses
	}
	t.time(name(fmt.Sprintf("GC pause under load, p99 of %d", n)), p99, time.Millisecond)
	t.time(name("… of that until all threads stand still, which the system decides"), stops, 0)
	t.time(name("GC pause under load, longest"), most, 0)
	return nil
}

// number writes a round number of tokens.
func number(n int) string {
	switch {
	case n >= 1_000_000 && n%100_000 == 0:
		return fmt.Sprintf("%g M", float64(n)/1e6)
	case n >= 1000 && n%100 == 0:
		return fmt.Sprintf("%g k", float64(n)/1e3)
	}
	return fmt.Sprint(n)
}
