package cluster

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"
)

// errClosing ends a snapshot that a closing node was writing; the next start takes another.
var errClosing = errors.New("the node is closing")

// paced writes a snapshot in the background of a node that serves: after each block it rests for as
// long as the block took to make, so that encoding and compressing some millions of tokens
// takes half a core and not a whole one from the requests. What it wrote goes to the disk bit by bit:
// if it all went at the end, the log's own writes would wait behind some hundred megabytes.
type paced struct {
	to       io.Writer
	closing  <-chan struct{}
	since    time.Time
	sync     func() error // nil: there is no disk
	unsynced int
}

// syncEvery is how many bytes gather before they are made durable.
const syncEvery = 4 << 20

func newPaced(to io.Writer, closing <-chan struct{}) *paced {
	return &paced{to: to, closing: closing, since: time.Now()}
}

// Write implements io.Writer. It fails once the node closes.
func (p *paced) Write(b []byte) (int, error) {
	n, err := p.to.Write(b)
	if err != nil {
		return n, err
	}
	if p.unsynced += n; p.sync != nil && p.unsynced >= syncEvery {
		p.unsynced = 0
		if err := p.sync(); err != nil {
			return n, err
		}
	}
	rest := time.NewTimer(time.Since(p.since))
	defer rest.Stop()
	select {
	case <-rest.C:
	case <-p.closing:
		return n, errClosing
	}
	p.since = time.Now()
	return n, nil
}

// stateFile opens the file that Raft's file store is writing the snapshot id to.
func stateFile(dir, id string) (*os.File, error) {
	return os.OpenFile(filepath.Join(dir, "snapshots", id+".tmp", "state.bin"), os.O_RDWR, 0)
}
