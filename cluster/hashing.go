package cluster

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/snapshot"
)

// hashing computes the hashes of a replica's state at checkpoints, in the background.
type hashing struct {
	fail    func(error)
	spawn   func(func()) bool
	closing <-chan struct{}
	took    atomic.Int64 // by the last one

	mu       sync.Mutex
	verdict  uint64          // index of the last verdict
	running  map[uint64]bool // indexes
	own      []fsm.Verdict   // the latest
	verdicts []fsm.Verdict   // of the majority, the latest
	news     chan struct{}   // closed at the next own hash
}

const (
	// maxHashing is how many images a replica hashes at once; a checkpoint beyond that is passed over.
	maxHashing = 2
	// keptHashes is how many hashes a replica remembers.
	keptHashes = 16
)

func newHashing() *hashing {
	return &hashing{running: map[uint64]bool{}, news: make(chan struct{}), spawn: func(f func()) bool { go f(); return true }}
}

// look is called after each entry, on the goroutine that applies.
func (h *hashing) look(m *fsm.Machine) {
	if m.Checkpoint() == m.Index() && m.Index() > 0 {
		h.begin(m)
	}
	if v := m.Verdict(); v.Index != 0 {
		h.judge(v)
	}
}

func (h *hashing) begin(m *fsm.Machine) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.running) >= maxHashing {
		return
	}
	f := m.Freeze()
	h.running[f.Index()] = true
	if !h.spawn(func() { h.run(f) }) {
		delete(h.running, f.Index())
	}
}

func (h *hashing) run(f *fsm.Frozen) {
	begin := time.Now()
	sum := sha256.New()
	w := bufio.NewWriterSize(newPaced(sum, h.closing), 256<<10)
	err := snapshot.WriteRows(w, f)
	if err == nil {
		err = w.Flush()
	}
	v := fsm.Verdict{Index: f.Index()}
	sum.Sum(v.Hash[:0])
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.running, v.Index)
	if err == nil {
		h.own = append(h.own[max(0, len(h.own)-keptHashes+1):], v)
		h.took.Store(int64(time.Since(begin)))
		h.compare()
	}
	close(h.news)
	h.news = make(chan struct{})
}

func (h *hashing) judge(v fsm.Verdict) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if v.Index == h.verdict {
		return
	}
	h.verdict = v.Index
	h.verdicts = append(h.verdicts[max(0, len(h.verdicts)-keptHashes+1):], v)
	h.compare()
}

// compare stops a replica that differs. h.mu is held.
func (h *hashing) compare() {
	for _, v := range h.verdicts {
		for _, o := range h.own {
			if o.Index == v.Index && o.Hash != v.Hash {
				h.fail(fmt.Errorf("at index %d its hash is %x, that of most voters is %x: the replica has diverged; keep its data directory to find out why, and join again with an empty one", v.Index, o.Hash, v.Hash))
				return
			}
		}
	}
}

// at returns the own hash at an index that was applied; errBusy: not yet.
func (h *hashing) at(ctx context.Context, index uint64) ([]byte, error) {
	for {
		h.mu.Lock()
		news, running := h.news, h.running[index]
		for _, v := range h.own {
			if v.Index == index {
				h.mu.Unlock()
				return v.Hash[:], nil
			}
		}
		h.mu.Unlock()
		if !running {
			return nil, refusal(fmt.Sprintf("this node has no hash of its state at index %d", index))
		}
		select {
		case <-news:
		case <-ctx.Done():
			return nil, errBusy
		}
	}
}
