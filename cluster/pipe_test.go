package cluster

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

func spawned(f func()) bool { go f(); return true }

// answering is the other end of a pipe, which a test serves by hand.
type answering struct {
	net.Conn
	r *bufio.Reader
}

func pipeTo(t *testing.T) (*pipe, answering) {
	a, b := net.Pipe()
	p := newPipe(a, spawned)
	t.Cleanup(func() { p.close(); b.Close() })
	return p, answering{b, bufio.NewReader(b)}
}

func (a answering) next() (call uint32, kind byte, arg []byte, err error) {
	return readPiped(a.r, make([]byte, pipeHead))
}

func (a answering) answer(call uint32, status byte, payload []byte) {
	b := binary.BigEndian.AppendUint32(nil, call)
	b = binary.BigEndian.AppendUint32(append(b, status), uint32(len(payload)))
	a.Write(append(b, payload...))
}

// TestPipe: each of many calls gets its own answer, in whatever order they come.
func TestPipe(t *testing.T) {
	t.Parallel()
	p, other := pipeTo(t)
	const calls = 200
	go func() {
		type asked struct {
			call uint32
			arg  []byte
		}
		var all []asked
		for range calls {
			call, kind, arg, err := other.next()
			if err != nil || kind != callPropose {
				t.Errorf("call of kind %d, %v", kind, err)
				return
			}
			all = append(all, asked{call, arg})
		}
		slices.Reverse(all)
		for _, a := range all {
			other.answer(a.call, statusOK, append([]byte("re: "), a.arg...))
		}
	}()
	var wait sync.WaitGroup
	for i := range calls {
		wait.Go(func() {
			arg := fmt.Appendf(nil, "call %d", i)
			r, err := p.do(context.Background(), callPropose, arg)
			if err != nil || r.status != statusOK || string(r.payload) != "re: "+string(arg) {
				t.Errorf("%s: %d %q, %v", arg, r.status, r.payload, err)
			}
		})
	}
	wait.Wait()
}

// TestPipeFails: calls under way end without an answer, and may have happened; later ones were
// certainly not sent.
func TestPipeFails(t *testing.T) {
	t.Parallel()
	p, other := pipeTo(t)
	failed := make(chan error, 1)
	go func() {
		_, err := p.do(context.Background(), callPropose, nil)
		failed <- err
	}()
	if _, _, _, err := other.next(); err != nil {
		t.Fatal(err)
	}
	other.Close()
	var unsent notSent
	if err := <-failed; err == nil || errors.As(err, &unsent) || certain(err) {
		t.Errorf("a call under way: %v, want an unknown outcome", err)
	}
	<-p.done
	if _, err := p.do(context.Background(), callPropose, nil); !errors.As(err, &unsent) || !certain(err) {
		t.Errorf("a call afterwards: %v, want certainly not sent", err)
	}
	if !p.closed() {
		t.Error("the pipe does not say that it is closed")
	}
}

// TestPipeForgets: a caller that leaves leaves nothing behind, and its late answer harms nobody.
func TestPipeForgets(t *testing.T) {
	t.Parallel()
	p, other := pipeTo(t)
	ctx, cancel := context.WithCancel(context.Background())
	left := make(chan error, 1)
	go func() {
		_, err := p.do(ctx, callTerm, nil)
		left <- err
	}()
	late, _, _, err := other.next()
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that left: %v", err)
	}
	go func() {
		other.answer(late, statusOK, nil)
		if call, _, _, err := other.next(); err == nil {
			other.answer(call, statusBusy, nil)
		}
	}()
	if r, err := p.do(context.Background(), callTerm, nil); err != nil || r.status != statusBusy {
		t.Errorf("the next call: %d, %v", r.status, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) != 0 {
		t.Errorf("%d calls are remembered", len(p.waiting))
	}
}

// TestFramesPushBack: what waits to be written is bounded.
func TestFramesPushBack(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	f := newFrames(w)
	payload := make([]byte, pipeBuffer)
	for range 2 {
		if !f.put(1, 1, payload) {
			t.Fatal("refused")
		}
		if len(f.pending) > pipeBuffer {
			break
		}
	}
	blocked := make(chan bool, 1)
	go func() { blocked <- f.put(2, 1, nil) }()
	select {
	case <-blocked:
		t.Error("more than the bound was taken")
	case <-time.After(20 * time.Millisecond): // cannot show more than this without waiting for ever
	}
	done := make(chan struct{})
	go f.run(done)
	go io.Copy(io.Discard, r)
	if ok := <-blocked; !ok {
		t.Error("a writer that waited for room was refused")
	}
	close(done)
	r.Close()
	for f.put(3, 1, nil) { // until run has ended
		time.Sleep(time.Millisecond)
	}
}

func TestReadPiped(t *testing.T) {
	t.Parallel()
	whole := append([]byte{0, 0, 0, 7, callTerm, 0, 0, 0, 4}, "body"...)
	call, kind, arg, err := readPiped(bufio.NewReader(bytes.NewReader(whole)), make([]byte, pipeHead))
	if call != 7 || kind != callTerm || string(arg) != "body" || err != nil {
		t.Errorf("read back %d %d %q, %v", call, kind, arg, err)
	}
	for i := range whole {
		if _, _, _, err := readPiped(bufio.NewReader(bytes.NewReader(whole[:i])), make([]byte, pipeHead)); err == nil {
			t.Errorf("a frame cut after %d bytes was read", i)
		}
	}
	huge := binary.BigEndian.AppendUint32([]byte{0, 0, 0, 7, callTerm}, maxFrame+1)
	if _, _, _, err := readPiped(bufio.NewReader(bytes.NewReader(huge)), make([]byte, pipeHead)); err == nil {
		t.Error("a frame over the limit was read")
	}
}

// writes notes the size of every write.
type writes struct {
	net.Conn
	sizes []int
}

func (w *writes) Write(b []byte) (int, error) {
	w.sizes = append(w.sizes, len(b))
	return len(b), nil
}

// TestMerged: a frame of yamux is one write, with or without a body.
func TestMerged(t *testing.T) {
	t.Parallel()
	var w writes
	m := &merged{Conn: &w}
	head := func(kind byte, length uint32) []byte {
		return binary.BigEndian.AppendUint32([]byte{0, kind, 0, 0, 0, 0, 0, 1}, length)
	}
	for _, b := range [][]byte{head(yamuxData, 5), []byte("hello"), head(1, 4096), head(yamuxData, 0), head(yamuxData, 12), head(yamuxData, 3)} {
		if n, err := m.Write(b); n != len(b) || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	}
	if want := []int{17, 12, 12, 24}; !slices.Equal(w.sizes, want) {
		t.Errorf("writes of %v bytes, want %v", w.sizes, want)
	}
}

// TestReadIndexOfAnotherTerm: a follower in another term than the leader proves nothing.
func TestReadIndexOfAnotherTerm(t *testing.T) {
	t.Parallel()
	n := single(t)
	if _, err := n.serveReadIndex(context.Background(), []byte("short")); err == nil {
		t.Error("a malformed question was answered")
	}
	b, err := n.serveReadIndex(context.Background(), binary.BigEndian.AppendUint64(nil, 99))
	if err != nil || binary.BigEndian.Uint64(b) != n.raft().CommitIndex() {
		t.Errorf("a leader that is a majority alone: %x, %v", b, err)
	}
	term := n.raft().CurrentTerm()
	if n.leads(term + 1) {
		t.Error("the node says that it leads in a term to come")
	}
	servers, need := n.voters()
	if len(servers) != 0 || need != 0 {
		t.Errorf("%d other voters, %d needed; want none", len(servers), need)
	}
	if n.inTerm(context.Background(), term, servers, 1) {
		t.Error("a majority was found where there is nobody to ask")
	}
	if got, err := n.serveTerm(context.Background(), nil); err != nil || binary.BigEndian.Uint64(got) != term {
		t.Errorf("term %x, %v", got, err)
	}
}

// TestPeer: pipe and session of a peer die together, and the next call finds both anew.
func TestPeer(t *testing.T) {
	t.Parallel()
	n := single(t)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	ask := func() *peer {
		t.Helper()
		if _, err := n.calls.do(ctx, n.Addr(), callTerm, nil); err != nil {
			t.Fatal(err)
		}
		p, err := n.calls.peer(ctx, n.Addr())
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	first := ask()
	if again := ask(); again != first {
		t.Error("two calls dialed twice")
	}
	first.pipe.stream.Close()
	<-first.session.CloseChan()
	second := ask()
	if second == first {
		t.Error("a closed pipe was used again")
	}
	second.session.Close()
	<-second.pipe.done
	if third := ask(); third == second {
		t.Error("a closed session was used again")
	}
}

// TestFramesDirect: a few bytes leave without anybody's help, also beside a writer that has more to
// do, and a stream that fails refuses what comes later.
func TestFramesDirect(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	f := newFrames(w)
	read := make(chan uint32, 1)
	next := func(in *bufio.Reader) {
		call, _, _, err := readPiped(in, make([]byte, pipeHead))
		if err != nil {
			call = 0
		}
		read <- call
	}
	in := bufio.NewReader(r)
	go next(in)
	if !f.put(7, callTerm, make([]byte, 8)) { // nothing runs f
		t.Fatal("refused")
	}
	if call := <-read; call != 7 {
		t.Errorf("call %d arrived, want 7", call)
	}
	done := make(chan struct{})
	defer close(done)
	go f.run(done)
	var wait sync.WaitGroup
	const calls = 200
	for i := range calls {
		wait.Go(func() { f.put(uint32(i+1), callTerm, make([]byte, i)) })
	}
	seen := map[uint32]bool{}
	for range calls {
		go next(in)
		seen[<-read] = true
	}
	wait.Wait()
	if len(seen) != calls || seen[0] {
		t.Errorf("%d of %d frames arrived whole", len(seen), calls)
	}
	r.Close()
	deadline := time.Now().Add(time.Minute)
	for f.put(1, callTerm, nil) { // the first may have been sent, or wait for the next write
		if time.Now().After(deadline) {
			t.Fatal("frames are taken after the stream has failed")
		}
		time.Sleep(time.Millisecond)
	}
}

// TestFavouriteVoter: a leader asks the voter that answered last, and the others when it is silent.
func TestFavouriteVoter(t *testing.T) {
	t.Parallel()
	n := single(t)
	l, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	silent := raft.Server{ID: "silent", Address: raft.ServerAddress(l.Addr().String())}
	talks := raft.Server{ID: "talks", Address: raft.ServerAddress(n.Addr())}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	term := n.raft().CurrentTerm()
	n.near.Store(&silent.ID)
	for range 3 {
		if !n.inTerm(ctx, term, []raft.Server{silent, talks}, 1) {
			t.Fatal("no majority, though one voter answers")
		}
	}
	if near := n.near.Load(); near == nil || *near != talks.ID {
		t.Errorf("the favourite is %v, want the voter that talks", near)
	}
	if n.inTerm(ctx, term+1, []raft.Server{talks}, 1) {
		t.Error("a voter of another term counts")
	}
	gone := raft.ServerID("gone")
	n.near.Store(&gone)
	if !n.inTerm(ctx, term, []raft.Server{talks}, 1) {
		t.Error("no majority after the favourite was taken out")
	}
}
