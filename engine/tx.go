package engine

import (
	"encoding/json"
	"fmt"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/storage"
)

// Tx is the storage of a mount as one handler sees it: as it was at one moment, with the handler's own
// writes. It remembers what was read, because the writes count only if that is still so. It is not
// safe for concurrent use.
type Tx struct {
	base   storage.Store
	now    storage.Store
	reads  map[string]uint64
	order  []string // of reads
	listed map[string]storage.Sum
	lists  []string // of listed
	writes []fsm.Write
}

// NewTx starts on what a mount keeps.
func NewTx(s storage.Store) *Tx {
	return &Tx{base: s, now: s, reads: map[string]uint64{}, listed: map[string]storage.Sum{}}
}

// Find returns the bytes at key; they must not be changed.
func (t *Tx) Find(key string) ([]byte, bool) {
	if _, ok := t.reads[key]; !ok {
		t.reads[key] = t.base.Find(key).Version
		t.order = append(t.order, key)
	}
	e := t.now.Find(key)
	return e.Value, e.Version != 0
}

// Load decodes the JSON at key into v, and reports whether there is any.
func (t *Tx) Load(key string, v any) (bool, error) {
	b, ok := t.Find(key)
	if !ok {
		return false, nil
	}
	if err := json.Unmarshal(b, v); err != nil {
		return true, fmt.Errorf("what is stored at %q: %w", key, err)
	}
	return true, nil
}

// Put stores value at key: a path of segments that are not empty. Bounds are checked when
// the transaction is applied, and named to the client.
func (t *Tx) Put(key string, value []byte) {
	t.now = t.now.Put(key, storage.Entry{Value: value, Version: own})
	t.writes = append(t.writes, fsm.Write{Kind: fsm.WritePut, Key: key, Value: value})
}

// own is the version of what the handler itself has written.
const own = ^uint64(0)

// Save stores v at key as JSON.
func (t *Tx) Save(key string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding what shall be stored at %q: %w", key, err)
	}
	t.Put(key, b)
	return nil
}

// Delete deletes what is at key, if anything is.
func (t *Tx) Delete(key string) {
	t.now = t.now.Delete(key)
	t.writes = append(t.writes, fsm.Write{Kind: fsm.WriteDelete, Key: key})
}

// DeletePrefix deletes everything whose key starts with prefix. Nothing of it needs to be read.
func (t *Tx) DeletePrefix(prefix string) {
	t.now = t.now.DeletePrefix(prefix)
	t.writes = append(t.writes, fsm.Write{Kind: fsm.WriteDeletePrefix, Key: prefix})
}

// List returns the names directly below prefix, which ends in a slash or is empty; names with more
// below them end in a slash. Sorted, at most storage.MaxListed.
func (t *Tx) List(prefix string) []string {
	if _, ok := t.listed[prefix]; !ok {
		t.listed[prefix] = t.base.SumOf(prefix)
		t.lists = append(t.lists, prefix)
	}
	return t.now.List(prefix, "", storage.MaxListed)
}

// Peek returns the bytes at key, like Find, but the writes count also if they change meanwhile.
func (t *Tx) Peek(key string) ([]byte, bool) {
	e := t.now.Find(key)
	return e.Value, e.Version != 0
}

// Names returns at most limit names below prefix that come after one, like List, but the writes count also
// if they change meanwhile.
func (t *Tx) Names(prefix, after string, limit int) []string { return t.now.List(prefix, after, limit) }

// Written reports whether the handler has written anything.
func (t *Tx) Written() bool { return len(t.writes) > 0 }

// Into puts what was read and written into a command.
func (t *Tx) Into(c *fsm.Transact) {
	for _, key := range t.order {
		c.Reads = append(c.Reads, fsm.Read{Key: key, Version: t.reads[key]})
	}
	for _, prefix := range t.lists {
		c.Listed = append(c.Listed, fsm.Listing{Prefix: prefix, Sum: t.listed[prefix]})
	}
	c.Writes = t.writes
}

// Holds reports whether what was read is still so in s.
func (t *Tx) Holds(s storage.Store) bool {
	for key, version := range t.reads { // order: all must hold
		if s.Find(key).Version != version {
			return false
		}
	}
	for prefix, sum := range t.listed { // order: likewise
		if s.SumOf(prefix) != sum {
			return false
		}
	}
	return true
}
