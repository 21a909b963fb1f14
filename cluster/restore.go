package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/raft"
	"github.com/hashicorp/yamux"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/snapshot"
)

const (
	// restoreTimeout bounds a restore from the moment on at which the whole file has arrived.
	restoreTimeout = 10 * time.Minute
	// busyPause is how long a node waits before it sends a file again.
	busyPause = 500 * time.Millisecond
	// partTimeout is how long one piece of a file may take from node to node.
	partTimeout = 30 * time.Second
	// lastPiece is more than io.Copy writes at once: an error of the last piece does not say that it has not arrived.
	lastPiece = 64 << 10
	// spoolPattern names files in the data directory that are deleted when they were used, and at start.
	spoolPattern = "upload-*.tmp"
)

// incoming says which snapshot follows on a call's stream.
type incoming struct {
	Size  int64 `json:"size"`
	Force bool  `json:"force"`
}

// RestoreSnapshot makes a snapshot the state of the whole cluster, from any node, while it serves. body
// is read to its end, at its own pace, before anything else happens; the file is verified whole before anything
// is restored. An error that is Invalid or Unavailable means that nothing was.
func (n *Node) RestoreSnapshot(ctx context.Context, body io.Reader, force bool) (fsm.Comeback, error) {
	if n.raft() == nil {
		return fsm.Comeback{}, errNoCluster()
	}
	if !n.arriving.take() {
		return fsm.Comeback{}, fsm.Errorf(fsm.Unavailable, "another snapshot is being restored through this node: try again later")
	}
	defer n.arriving.give()
	file, size, err := n.spool(body)
	if err != nil {
		return fsm.Comeback{}, err
	}
	defer discard(file)
	ctx, cancel := context.WithTimeout(ctx, restoreTimeout)
	defer cancel()
	start := time.Now()
	for {
		t, era, err := n.leader(ctx, start)
		if err != nil {
			return fsm.Comeback{}, err
		}
		var c fsm.Comeback
		if t.local {
			c, err = n.restoreHere(ctx, file, force)
		} else {
			c, err = n.restoreAt(ctx, t.addr, file, incoming{size, force})
		}
		var no refusal
		switch {
		case err == nil:
			return c, n.WaitIndex(ctx, c.Applied)
		case errors.As(err, &no):
			return c, fsm.Errorf(fsm.Invalid, "%s", no)
		case !certain(err):
			return c, fsm.Errorf(fsm.OutcomeUnknown, "%v; whether the snapshot was restored is unknown", err)
		}
		if n.pause(ctx, era); errors.Is(err, errBusy) {
			n.rest(ctx, busyPause)
		}
	}
}

// spool keeps what r yields in a file of the data directory.
func (n *Node) spool(r io.Reader) (*os.File, int64, error) {
	f, err := os.CreateTemp(n.cfg.DataDir, spoolPattern)
	if err != nil {
		return nil, 0, fmt.Errorf("keeping the snapshot: %w", err)
	}
	size, err := io.Copy(f, r)
	if err != nil {
		discard(f)
		var path *os.PathError
		if errors.As(err, &path) {
			return nil, 0, fsm.Errorf(fsm.Unavailable, "keeping the snapshot: %v", err)
		}
		return nil, 0, fsm.Errorf(fsm.Invalid, "the snapshot broke off after %d bytes; nothing was restored: %v", size, err)
	}
	return f, size, nil
}

func discard(f *os.File) {
	f.Close()
	os.Remove(f.Name())
}

// sweepSpool deletes what a crash has left.
func sweepSpool(dir string) {
	old, err := filepath.Glob(filepath.Join(dir, spoolPattern))
	if err != nil {
		return
	}
	for _, f := range old {
		os.Remove(f)
	}
}

// restoreAt sends the file to the leader at addr.
func (n *Node) restoreAt(ctx context.Context, addr string, file *os.File, in incoming) (fsm.Comeback, error) {
	var c fsm.Comeback
	head, err := json.Marshal(in)
	if err != nil {
		return c, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return c, err
	}
	st, err := n.calls.open(ctx, addr)
	if err != nil {
		return c, notSent{err}
	}
	defer st.Close()
	stop := context.AfterFunc(ctx, func() { st.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	st.SetDeadline(time.Now().Add(partTimeout))
	if err := writeFrame(st, callRestore, head); err != nil {
		return c, notSent{err}
	}
	// One that refuses says so at once, and reads no further.
	sent, sendErr := io.Copy(patient{st}, file)
	if ctx.Err() == nil {
		st.SetDeadline(time.Now().Add(restoreTimeout))
	}
	out, err := readOutcome(st, addr)
	if err != nil {
		if sendErr != nil && !certain(err) && sent < in.Size-lastPiece {
			return c, notSent{sendErr} // a leader restores nothing before it has all
		}
		return c, err
	}
	return c, json.Unmarshal(out, &c)
}

// patient is a stream whose deadline moves on with every piece.
type patient struct{ *yamux.Stream }

// Read implements io.Reader.
func (p patient) Read(b []byte) (int, error) {
	p.SetReadDeadline(time.Now().Add(partTimeout))
	return p.Stream.Read(b)
}

// Write implements io.Writer.
func (p patient) Write(b []byte) (int, error) {
	p.SetWriteDeadline(time.Now().Add(partTimeout))
	return p.Stream.Write(b)
}

// answerRestore serves restoreAt. What in has buffered comes first.
func (n *Node) answerRestore(ctx context.Context, st *yamux.Stream, in *bufio.Reader, arg []byte) {
	st.SetDeadline(time.Time{})
	ctx, cancel := context.WithTimeout(ctx, restoreTimeout)
	defer cancel()
	take := n.ofMembers(func(ctx context.Context, arg []byte) ([]byte, error) {
		return n.serveRestore(ctx, io.MultiReader(io.LimitReader(in, int64(in.Buffered())), patient{st}), arg)
	})
	out, err := take(ctx, arg)
	st.SetWriteDeadline(time.Now().Add(partTimeout))
	writeOutcome(st, out, err)
}

func (n *Node) serveRestore(ctx context.Context, r io.Reader, arg []byte) ([]byte, error) {
	var in incoming
	if err := json.Unmarshal(arg, &in); err != nil || in.Size < 0 {
		return nil, refusal("malformed restore")
	}
	r = io.LimitReader(r, in.Size)
	defer io.Copy(io.Discard, r) // the sender reads the answer when it has sent all
	if _, err := n.awaitReady(ctx); err != nil {
		return nil, err
	}
	if !n.relayed.take() {
		return nil, errBusy
	}
	defer n.relayed.give()
	file, size, err := n.spool(r)
	if err != nil {
		return nil, errBusy // nothing was restored, and the other node has the file
	}
	defer discard(file)
	if size != in.Size {
		return nil, errBusy
	}
	c, err := n.restoreHere(ctx, file, in.Force)
	if err != nil {
		return nil, err
	}
	return json.Marshal(c)
}

// restoreHere restores a file on the leader that this node is. Errors are those of a call: refusal,
// errNotLeader and errBusy mean that nothing happened.
func (n *Node) restoreHere(ctx context.Context, file *os.File, force bool) (fsm.Comeback, error) {
	if !n.applying.take() {
		return fsm.Comeback{}, refusal("another snapshot is being restored: try again when that is done")
	}
	defer n.applying.give()
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return fsm.Comeback{}, err
	}
	m, err := snapshot.Read(bufio.NewReaderSize(file, 1<<20))
	switch {
	case errors.Is(err, snapshot.ErrCorrupt), errors.Is(err, snapshot.ErrVersion):
		return fsm.Comeback{}, refusal(fmt.Sprintf("this is no snapshot that can be restored, and nothing was changed: %v", err))
	case err != nil:
		return fsm.Comeback{}, err
	}
	r, err := n.leading()
	if err != nil {
		return fsm.Comeback{}, err
	}
	if _, err := n.confirms.get(ctx); err != nil { // with a majority behind it
		return fsm.Comeback{}, errNotLeader
	}
	if !n.transfer.TryLock() {
		return fsm.Comeback{}, errBusy
	}
	defer n.transfer.Unlock()
	// The client may leave; what has begun goes on.
	ctx = context.WithoutCancel(ctx)
	resume := n.proposer.pause(ctx)
	defer resume()
	return n.replace(ctx, r, m, force, resume)
}

// replace makes m the state of the cluster. Nothing is proposed meanwhile.
func (n *Node) replace(ctx context.Context, r *raft.Raft, m *fsm.Machine, force bool, resume context.CancelFunc) (fsm.Comeback, error) {
	c, image, err := n.graft(m, force)
	if err != nil {
		return c, err
	}
	file, size, err := n.spoolImage(image)
	if err != nil {
		return c, refusal(fmt.Sprintf("the state to restore could not be written, and nothing was changed: %v", err))
	}
	defer discard(file)
	n.log.Warn("restoring a snapshot: it replaces the state of the whole cluster", "of_cluster", c.Cluster, "snapshot_time", c.At.Time(),
		"snapshot_index", c.Index, "tokens", c.Tokens, "tokens_that_come_back", c.Returned, "tokens_that_go", c.Lost, "store_epoch", c.StoreEpoch)
	begin := time.Now()
	n.replica.hold()
	err = n.outcomeOf(call(func() error {
		return r.Restore(&raft.SnapshotMeta{Version: raft.SnapshotVersionMax, Size: size}, bufio.NewReaderSize(file, 1<<20), requestTimeout)
	}))
	switch {
	case err != nil && n.replica.swapped():
		err = fmt.Errorf("a restore was begun, and whether the cluster has it is unknown: %w", err)
		n.replica.fail(err)
		return c, err
	case err != nil:
		n.replica.release()
		return c, refusal(fmt.Sprintf("nothing was restored: %v", err))
	}
	n.replica.release()
	resume()
	// An entry that the machine sees: its index then reaches the commit index, and reads go on.
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	res, err := n.system(ctx, &fsm.Tick{})
	if err != nil {
		n.log.Debug("first entry after a restore; a new leader makes another", "error", err)
	}
	c.Applied = res.Index
	n.log.Warn("a snapshot was restored", "store_epoch", c.StoreEpoch, "took", time.Since(begin))
	return c, nil
}

// call makes a function one of Raft's futures.
type call func() error

// Error implements raft.Future.
func (f call) Error() error { return f() }

// graft makes m the next state of this cluster, or refuses it.
func (n *Node) graft(m *fsm.Machine, force bool) (c fsm.Comeback, f *fsm.Frozen, err error) {
	n.View(func(now *fsm.Machine) {
		switch why := m.SameOrigin(now); {
		case !m.Initialized():
			err = refusal("the snapshot is not restored: " + why)
			return
		case why != "" && !force:
			err = refusal("the snapshot is not restored: " + why + "; to take it all the same, use snapshot-force (`grove operator raft snapshot restore -force`)")
			return
		}
		c = m.Adopt(now)
		f = m.Freeze()
	})
	if err != nil {
		return c, nil, err
	}
	if err := m.Check(); err != nil {
		return c, nil, refusal(fmt.Sprintf("the snapshot is not restored: with this cluster's own part it would not be valid: %v", err))
	}
	sum, err := snapshot.Digest(f.Portable())
	c.Hash = fmt.Sprintf("%x", sum)
	return c, f, err
}

// spoolImage writes an image to a file, and goes back to its beginning.
func (n *Node) spoolImage(image *fsm.Frozen) (*os.File, int64, error) {
	f, err := os.CreateTemp(n.cfg.DataDir, spoolPattern)
	if err != nil {
		return nil, 0, err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	if err = snapshot.Write(w, image); err == nil {
		err = w.Flush()
	}
	var size int64
	if err == nil {
		size, err = f.Seek(0, io.SeekCurrent)
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		discard(f)
	}
	return f, size, err
}
