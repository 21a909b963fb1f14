package cluster

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/yamux"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/policy"
	"github.com/tokengrove/grove/fsm/token"
)

// single is a cluster of one node.
func single(t *testing.T) *Node {
	t.Helper()
	n, err := Open(Config{DataDir: t.TempDir(), ClusterAddr: "127.0.0.1:0", Tune: Tuning{NoGossip: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	err = n.Init(context.Background(), fsm.Initialize{
		ClusterID: "one", Policies: []policy.Policy{{Name: policy.Default}},
		Root: token.Record{Hash: token.Hash{1}, Accessor: "root", Type: token.Service, Policies: []string{policy.Root}, Path: "auth/token/root"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestFrames(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := writeFrame(&b, 7, []byte("body")); err != nil {
		t.Fatal(err)
	}
	whole := b.Bytes()
	tag, p, err := readFrame(bufio.NewReader(bytes.NewReader(whole)))
	if tag != 7 || string(p) != "body" || err != nil {
		t.Errorf("read back %d %q, %v", tag, p, err)
	}
	for i := range whole {
		if _, _, err := readFrame(bufio.NewReader(bytes.NewReader(whole[:i]))); err == nil {
			t.Errorf("a frame cut after %d bytes was read", i)
		}
	}
	huge := binary.BigEndian.AppendUint32([]byte{1}, maxFrame+1)
	if _, _, err := readFrame(bufio.NewReader(bytes.NewReader(huge))); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("a frame over the limit: %v", err)
	}
}

// TestHostileCalls: nothing that comes in as a call harms the node, and what is refused
// certainly did nothing.
func TestHostileCalls(t *testing.T) {
	t.Parallel()
	n := single(t)
	conn, err := n.links.dial(protoCalls, n.Addr(), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	s, err := yamux.Client(conn, yamuxConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	group := func(term uint64, k fsm.Kind, body string) []byte {
		return fsm.AppendGroup(binary.BigEndian.AppendUint64(nil, term), fsm.Group{Items: []fsm.Item{{Kind: k, Body: []byte(body)}}})
	}
	term := n.raft().CurrentTerm()
	before := n.raft().LastIndex()
	for _, c := range []struct {
		name   string
		kind   byte
		arg    []byte
		status byte
	}{
		{"unknown call", 200, nil, statusRefused},
		{"empty batch", callPropose, nil, statusRefused},
		{"garbage", callPropose, []byte("\x00\x00\x00\x00\x00\x00\x00\x01garbage"), statusRefused},
		{"unknown command", callPropose, group(term, 60000, ""), statusRefused},
		{"undecodable command", callPropose, group(term, fsm.KindUseToken, "\xff"), statusRefused},
		{"another term", callPropose, group(term+1, fsm.KindTick, "\xa0"), statusNotLeader},
		{"join garbage", callJoin, []byte("{"), statusRefused},
		{"join another cluster", callJoin, []byte(`{"member":{"ID":"x","ClusterAddr":"127.0.0.1:1"},"cluster":"two"}`), statusRefused},
		{"join for another node", callJoin, []byte(`{"member":{"ID":"x","ClusterAddr":"127.0.0.1:1"},"cluster":"one"}`), statusRefused},
		{"return of a stranger", callJoin, []byte(`{"member":{"ID":"x","ClusterAddr":"127.0.0.1:1"},"cluster":"one","returning":true}`), statusRefused},
	} {
		t.Run(c.name, func(t *testing.T) {
			st, err := s.OpenStream()
			if err != nil {
				t.Fatal(err)
			}
			defer st.Close()
			st.SetDeadline(time.Now().Add(10 * time.Second))
			if err := writeFrame(st, c.kind, c.arg); err != nil {
				t.Fatal(err)
			}
			status, why, err := readFrame(bufio.NewReader(st))
			if err != nil || status != c.status {
				t.Errorf("status %d %q, %v; want %d", status, why, err, c.status)
			}
		})
	}
	if after := n.raft().LastIndex(); after != before {
		t.Errorf("refused calls grew the log from %d to %d", before, after)
	}
	if _, err := n.calls.do(context.Background(), n.Addr(), callPropose, group(term, fsm.KindTick, "\xa0")); err != nil {
		t.Errorf("a good call afterwards: %v", err)
	}
}

// TestCorruptEntry: an entry that this build cannot read stops the node, loudly.
func TestCorruptEntry(t *testing.T) {
	t.Parallel()
	n := single(t)
	n.raft().Apply([]byte{99}, time.Second)
	select {
	case err := <-n.Failed():
		if !strings.Contains(err.Error(), "version 99") {
			t.Errorf("failed with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the node goes on after an unknown entry")
	}
	var e *fsm.Error
	if _, err := n.Propose(context.Background(), &fsm.Tick{}); !errors.As(err, &e) || (e.Code != fsm.Unavailable && e.Code != fsm.OutcomeUnknown) {
		t.Errorf("a proposal afterwards: %v", err)
	}
	if err := n.Barrier(context.Background()); err == nil {
		t.Error("a consistent read afterwards")
	}
}

// TestOverload: what waits is bounded, and what is refused was certainly not applied.
func TestOverload(t *testing.T) {
	t.Parallel()
	n := single(t)
	e := &edge{node: n, queue: make(chan *proposal, 1), session: n.edge.session} // nobody sends
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var refused *fsm.Error
	if _, err := e.propose(ctx, &fsm.Tick{}); !errors.As(err, &refused) || refused.Code != fsm.Unavailable {
		t.Errorf("a caller that left before anything was sent: %v, want Unavailable", err)
	}
	if _, err := e.propose(ctx, &fsm.Tick{}); !errors.As(err, &refused) || !strings.Contains(refused.Message, "overloaded") {
		t.Errorf("a full queue: %v", err)
	}
	e.queue = make(chan *proposal, 10)
	e.waiting.Store(queueBytes)
	if _, err := e.propose(ctx, &fsm.Tick{}); !errors.As(err, &refused) || !strings.Contains(refused.Message, "overloaded") {
		t.Errorf("too many bytes: %v", err)
	}
	if _, err := e.propose(ctx, &fsm.RevokePrefix{Prefix: strings.Repeat("x", maxCommand)}); !errors.As(err, &refused) || refused.Code != fsm.Invalid {
		t.Errorf("a command over the limit: %v", err)
	}
}
