package cluster

import (
	"sync"

	"github.com/hashicorp/raft"
)

const (
	// cachedEntries is how many of the latest entries stay in memory for followers, and cachedBytes how
	// much of them.
	cachedEntries = 512
	cachedBytes   = 32 << 20
)

// logCache keeps the latest entries of a log in memory, so that followers are served without
// reading the disk. It differs from raft.LogCache in two points that matter for memory. It is bounded in
// bytes, too: an entry may have a megabyte. And it keeps copies: an entry that Raft stores is part
// of the future of its caller, and so the results of all its commands stayed alive with it,
// hundreds of megabytes under load.
type logCache struct {
	raft.LogStore

	mu          sync.RWMutex
	entries     [cachedEntries]raft.Log // that of index i at i % cachedEntries
	first, next uint64                  // the indexes from first to before next are held
	size        int
}

// GetLog implements raft.LogStore.
func (c *logCache) GetLog(index uint64, l *raft.Log) error {
	c.mu.RLock()
	if c.first <= index && index < c.next {
		*l = c.entries[index%cachedEntries]
		c.mu.RUnlock()
		return nil
	}
	c.mu.RUnlock()
	return c.LogStore.GetLog(index, l)
}

// StoreLog implements raft.LogStore.
func (c *logCache) StoreLog(l *raft.Log) error { return c.StoreLogs([]*raft.Log{l}) }

// StoreLogs implements raft.LogStore. What could not be stored is not held.
func (c *logCache) StoreLogs(ls []*raft.Log) error {
	if err := c.LogStore.StoreLogs(ls); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range ls {
		if l.Index != c.next {
			c.reset(l.Index)
		}
		if c.next-c.first == cachedEntries {
			c.drop()
		}
		c.entries[l.Index%cachedEntries] = *l
		c.next++
		c.size += weight(l)
		for c.size > cachedBytes && c.next-c.first > 1 {
			c.drop()
		}
	}
	return nil
}

// DeleteRange implements raft.LogStore.
func (c *logCache) DeleteRange(least, most uint64) error {
	c.mu.Lock()
	c.reset(0)
	c.mu.Unlock()
	return c.LogStore.DeleteRange(least, most)
}

func weight(l *raft.Log) int { return len(l.Data) + len(l.Extensions) }

// drop forgets the oldest entry. c.mu is held.
func (c *logCache) drop() {
	l := &c.entries[c.first%cachedEntries]
	c.size -= weight(l)
	*l = raft.Log{}
	c.first++
}

// reset forgets everything; index comes next. c.mu is held.
func (c *logCache) reset(index uint64) {
	for c.first < c.next {
		c.drop()
	}
	c.first, c.next = index, index
}
