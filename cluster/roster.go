package cluster

import (
	"sync"
	"time"
)

// report is what a server has said of itself last.
type report struct {
	info   info
	at     time.Time
	behind uint64 // entries, when it said so
}

// roster remembers the reports of the servers, on a node that leads.
type roster struct {
	mu   sync.Mutex
	said map[string]report // by ID
}

// reset forgets everything: what was said in an earlier reign is old.
func (ro *roster) reset() {
	ro.mu.Lock()
	defer ro.mu.Unlock()
	ro.said = map[string]report{}
}

func (ro *roster) note(id string, r report) {
	ro.mu.Lock()
	defer ro.mu.Unlock()
	if ro.said == nil {
		ro.said = map[string]report{}
	}
	ro.said[id] = r
}

func (ro *roster) of(id string) (report, bool) {
	ro.mu.Lock()
	defer ro.mu.Unlock()
	r, ok := ro.said[id]
	return r, ok
}

// last is when a server said something, zero if it has not.
func (ro *roster) last(id string) time.Time {
	r, _ := ro.of(id)
	return r.at
}

// keep forgets whoever is not in ids.
func (ro *roster) keep(ids map[string]bool) {
	ro.mu.Lock()
	defer ro.mu.Unlock()
	for id := range ro.said {
		if !ids[id] {
			delete(ro.said, id)
		}
	}
}
