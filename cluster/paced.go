package cluster

import (
	"errors"
	"io"
	"time"
)

// errClosing ends a snapshot that a closing node was writing; the next start takes another.
var errClosing = errors.New("the node is closing")

// paced writes a snapshot in the background of a node that serves: after each block it rests for as
// long as the block took to make, so that encoding and compressing some millions of tokens
// takes half a core and not a whole one from the requests.
type paced struct {
	to      io.Writer
	closing <-chan struct{}
	since   time.Time
}

func newPaced(to io.Writer, closing <-chan struct{}) *paced {
	return &paced{to: to, closing: closing, since: time.Now()}
}

// Write implements io.Writer. It fails once the node closes.
func (p *paced) Write(b []byte) (int, error) {
	n, err := p.to.Write(b)
	if err != nil {
		return n, err
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
