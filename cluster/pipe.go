package cluster

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"time"
)

// A pipe carries the calls that every request needs (proposals and read indexes) over one
// connection, many at a time, so that a call costs a frame each way and no stream of its own.
// Calls that gather while a write is under way leave with the next one. Frames there:
//
//	call u32 | kind u8 | length u32 | argument
//
// and back, in any order, with a status instead of the kind.
const (
	// pipeLimit bounds what one call may put into a pipe: what is larger takes its own stream,
	// so that it holds up nobody else.
	pipeLimit = 256 << 10
	// pipeBuffer bounds what waits to be written on one side of a pipe.
	pipeBuffer = 8 << 20
	// pipeDirect bounds what a caller writes itself instead of waking the writer: questions for terms and
	// read indexes, and their answers. The buffers of the system always have room for them, so that a
	// peer that has stopped keeps nobody waiting. Proposals are larger, and better leave together.
	pipeDirect = pipeHead + 8
	// pipeHead is the size of a frame's head.
	pipeHead = 9
)

// errPipe is why a call gets no answer: it may have happened.
var errPipe = errors.New("the connection was lost")

// frames writes frames from many goroutines to one stream. A small frame that finds nobody writing is
// written by who brings it, which saves a change of goroutine; what comes while a write is under
// way leaves with the next, which run writes. A writer waits while too much is unwritten.
type frames struct {
	w       io.Writer
	mu      sync.Mutex
	room    sync.Cond // of unwritten
	pending []byte
	spare   []byte // the buffer that was written last
	writing bool
	failed  bool
	wake    chan struct{}
}

func newFrames(w io.Writer) *frames {
	f := &frames{w: w, wake: make(chan struct{}, 1)}
	f.room.L = &f.mu
	return f
}

// put writes or queues one frame, and reports false when the stream had failed before.
func (f *frames) put(call uint32, tag byte, payload []byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.pending) > pipeBuffer && !f.failed {
		f.room.Wait()
	}
	if f.failed {
		return false
	}
	first := len(f.pending) == 0
	f.pending = binary.BigEndian.AppendUint32(f.pending, call)
	f.pending = append(f.pending, tag)
	f.pending = binary.BigEndian.AppendUint32(f.pending, uint32(len(payload)))
	f.pending = append(f.pending, payload...)
	switch {
	case !first || f.writing: // leaves with the next write
	case len(f.pending) <= pipeDirect:
		f.flush()
		if f.failed || len(f.pending) > 0 {
			f.rouse()
		}
	default:
		f.rouse()
	}
	return true
}

// flush writes what is pending. f.mu is held, but not while it writes.
func (f *frames) flush() {
	out := f.pending
	f.pending, f.spare, f.writing = f.spare[:0], nil, true
	f.room.Broadcast()
	f.mu.Unlock()
	_, err := f.w.Write(out)
	f.mu.Lock()
	f.writing = false
	if err != nil {
		f.failed = true
		f.room.Broadcast()
	}
	if cap(out) <= pipeLimit {
		f.spare = out
	}
}

// rouse tells run that there is something to do.
func (f *frames) rouse() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// run writes what is left for it until the stream fails, or done is closed.
func (f *frames) run(done <-chan struct{}) {
	for {
		select {
		case <-f.wake:
		case <-done:
			f.mu.Lock()
			f.failed = true
			f.room.Broadcast()
			f.mu.Unlock()
			return
		}
		runtime.Gosched() // who is about to put may join
		f.mu.Lock()
		for len(f.pending) > 0 && !f.writing && !f.failed {
			f.flush()
		}
		failed := f.failed
		f.mu.Unlock()
		if failed {
			return
		}
	}
}

// readPiped reads one frame. head is scratch space.
func readPiped(r *bufio.Reader, head []byte) (call uint32, tag byte, payload []byte, err error) {
	if _, err = io.ReadFull(r, head); err != nil {
		return 0, 0, nil, err
	}
	size := binary.BigEndian.Uint32(head[5:])
	if size > maxFrame {
		return 0, 0, nil, fmt.Errorf("frame of %d bytes, at most %d", size, maxFrame)
	}
	payload, err = readPayload(r, size)
	return binary.BigEndian.Uint32(head), head[4], payload, err
}

// reply is what came back for a call.
type reply struct {
	status  byte
	payload []byte
}

// pipe is the calling end.
type pipe struct {
	stream io.ReadWriteCloser
	out    *frames
	done   chan struct{} // closed when the pipe has failed

	mu      sync.Mutex
	next    uint32
	waiting map[uint32]chan reply // nil when the pipe has failed
}

// newPipe makes the calling end of a stream. spawn runs its goroutines.
func newPipe(stream io.ReadWriteCloser, spawn func(func()) bool) *pipe {
	p := &pipe{stream: stream, out: newFrames(stream), done: make(chan struct{}), waiting: map[uint32]chan reply{}}
	if !spawn(func() { p.out.run(p.done); p.close() }) || !spawn(p.receive) {
		p.close()
	}
	return p
}

// close ends all calls that wait; they may have happened.
func (p *pipe) close() {
	p.mu.Lock()
	failed := p.waiting == nil
	p.waiting = nil
	p.mu.Unlock()
	if !failed {
		close(p.done)
		p.stream.Close()
	}
}

func (p *pipe) closed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waiting == nil
}

func (p *pipe) receive() {
	defer p.close()
	r := bufio.NewReaderSize(p.stream, 64<<10)
	head := make([]byte, pipeHead)
	for {
		call, status, payload, err := readPiped(r, head)
		if err != nil {
			return
		}
		p.mu.Lock()
		c := p.waiting[call]
		delete(p.waiting, call)
		p.mu.Unlock()
		if c != nil {
			c <- reply{status, payload}
		}
	}
}

// do calls the other end. It stops waiting with ctx, or after requestTimeout.
func (p *pipe) do(ctx context.Context, kind byte, arg []byte) (reply, error) {
	c := make(chan reply, 1)
	p.mu.Lock()
	if p.waiting == nil {
		p.mu.Unlock()
		return reply{}, notSent{errPipe}
	}
	p.next++
	call := p.next
	p.waiting[call] = c
	p.mu.Unlock()
	if !p.out.put(call, kind, arg) {
		p.forget(call)
		return reply{}, notSent{errPipe}
	}
	t := time.NewTimer(requestTimeout)
	defer t.Stop()
	select {
	case r := <-c:
		return r, nil
	case <-p.done:
	case <-ctx.Done():
		p.forget(call)
		return reply{}, ctx.Err()
	case <-t.C:
		p.forget(call)
		return reply{}, context.DeadlineExceeded
	}
	select {
	case r := <-c: // the answer was the last thing that came
		return r, nil
	default:
		return reply{}, errPipe
	}
}

func (p *pipe) forget(call uint32) {
	p.mu.Lock()
	delete(p.waiting, call)
	p.mu.Unlock()
}

// servePipe is the other end: it answers the calls of one stream until that ends. At most
// callsPerPeer are under way; the rest waits in the stream, which pushes back. The goroutines
// that serve are kept, because a new one would grow its stack anew for every call. What waits for nothing
// is answered at once.
func (c *calls) servePipe(stream io.ReadWriteCloser, from string) {
	defer stream.Close()
	ctx := context.WithValue(c.node.ctx, peerKey{}, from)
	r := bufio.NewReaderSize(stream, 64<<10)
	type job struct {
		call uint32
		kind byte
		arg  []byte
	}
	out, done, jobs := newFrames(stream), make(chan struct{}), make(chan job)
	defer close(done)
	defer close(jobs)
	if !c.node.spawn(func() { out.run(done); stream.Close() }) {
		return
	}
	work := func(j job) {
		for ok := true; ok; j, ok = <-jobs {
			status, payload := c.result(ctx, j.kind, j.arg)
			out.put(j.call, status, payload)
		}
	}
	head, workers := make([]byte, pipeHead), 0
	for {
		call, kind, arg, err := readPiped(r, head)
		if err != nil {
			return
		}
		if status, payload, ok := c.instant(ctx, kind, arg); ok {
			out.put(call, status, payload)
			continue
		}
		j := job{call, kind, arg}
		select {
		case jobs <- j:
			continue
		default:
		}
		if workers == callsPerPeer {
			jobs <- j // calls have deadlines, so that this ends
			continue
		}
		workers++
		if !c.node.spawn(func() { work(j) }) {
			return
		}
	}
}
