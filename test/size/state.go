package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/raft"

	"github.com/tokengrove/grove/cluster"
	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/policy"
	"github.com/tokengrove/grove/fsm/token"
	"github.com/tokengrove/grove/snapshot"
)

const (
	fan    = 10 // children of a token in the tree
	family = 10 // a parent and its children, outside of it
	batch  = 1000
	ttl    = 72 * time.Hour
)

// shape says which tokens there are:
//
//	token 1              the top of the tree
//	2 … tree+1           its descendants, ten children each
//	then chain tokens    of which each is the parent of the next
//	up to tokens         families of ten
//
// All tops are children of the root token.
type shape struct{ tokens, tree, chain int }

func (s shape) chainTop() int { return s.tree + 2 }
func (s shape) chainEnd() int { return s.tree + 1 + s.chain }

// others are the first and the number of the tokens outside of tree and chain.
func (s shape) others() (first, n int) {
	first = s.chainEnd() + 1
	return first, s.tokens - first + 1
}

// parentOf returns the parent of token i; 0 is the root token.
func (s shape) parentOf(i int) int {
	first, _ := s.others()
	switch {
	case i == 1 || i == s.chainTop():
		return 0
	case i < s.chainTop():
		return 1 + (i-2)/fan
	case i < first:
		return i - 1
	}
	if nth := (i - first) % family; nth != 0 {
		return i - nth
	}
	return 0
}

// idOf is the secret of token i.
func idOf(i int) token.ID {
	h := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("size"), uint64(i)))
	return token.ID(token.ServicePrefix + base64.RawURLEncoding.EncodeToString(h[:18]))
}

// accessorOf is the accessor of token i.
func accessorOf(i int) token.Accessor {
	h := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("accessor"), uint64(i)))
	return token.Accessor(base64.RawURLEncoding.EncodeToString(h[:18]))
}

// lay replaces the log of the stopped node by a snapshot with the tokens of s.
func lay(n *node, s shape) error {
	m, err := stateOf(n)
	if err != nil {
		return err
	}
	if err := grow(m, token.ID(n.root), s); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(n.data(), "wal")); err != nil {
		return err
	}
	store, err := raft.NewFileSnapshotStore(n.data(), 2, io.Discard)
	if err != nil {
		return err
	}
	servers := []raft.Server{{Suffrage: raft.Voter, ID: raft.ServerID(n.name), Address: raft.ServerAddress(n.peer)}}
	_, trans := raft.NewInmemTransport("")
	sink, err := store.Create(raft.SnapshotVersionMax, m.Index(), 1, raft.Configuration{Servers: servers}, 1, trans)
	if err != nil {
		return err
	}
	if err := snapshot.Write(sink, m.Freeze()); err != nil {
		return errors.Join(err, sink.Cancel())
	}
	return sink.Close()
}

// stateOf opens the data of the stopped node in this process and returns a copy of its state.
func stateOf(n *node) (*fsm.Machine, error) {
	nd, err := cluster.Open(cluster.Config{DataDir: n.data(), NodeID: n.name, ClusterAddr: n.peer})
	if err != nil {
		return nil, err
	}
	var file bytes.Buffer
	err = until("the state of "+n.name, func() (bool, error) {
		file.Reset()
		var ready bool
		var frozen *fsm.Frozen
		nd.View(func(m *fsm.Machine) { ready, frozen = m.Initialized() && len(m.Members()) > 0, m.Freeze() })
		return ready, snapshot.Write(&file, frozen)
	})
	if err := errors.Join(err, nd.Close()); err != nil {
		return nil, err
	}
	return snapshot.Read(&file)
}

// grow creates the tokens of s.
func grow(m *fsm.Machine, root token.ID, s shape) error {
	salt, now := m.Identity().Salt, token.InstantOf(time.Now())
	parent := func(i int) token.Hash {
		if i == 0 {
			return salt.Hash(root)
		}
		return salt.Hash(idOf(i))
	}
	for i := 1; i <= s.tokens; {
		var g fsm.Group
		for ; i <= s.tokens && len(g.Items) < batch; i++ {
			p := parent(s.parentOf(i))
			k, body, err := fsm.EncodeCommand(&fsm.CreateToken{
				Caller: fsm.Caller{Token: p, Epoch: m.Epoch()},
				Token: token.Record{
					Hash: salt.Hash(idOf(i)), Accessor: accessorOf(i), Parent: p, Type: token.Service, Path: "auth/token/create",
					DisplayName: "token", Policies: []string{policy.Default}, TTL: ttl, Renewable: true,
				},
			})
			if err != nil {
				return err
			}
			g.Items = append(g.Items, fsm.Item{Seq: uint64(len(g.Items) + 1), Kind: k, Body: body})
		}
		rs, err := m.Apply(m.Index()+1, fsm.AppendEntry(nil, fsm.Entry{At: now, Groups: []fsm.Group{g}}))
		if err != nil {
			return err
		}
		for _, r := range rs {
			if err := r.Err(); err != nil || r.Stale {
				return fmt.Errorf("a token before number %d: stale %v, %w", i, r.Stale, err)
			}
		}
	}
	return nil
}
