package httpapi

import (
	"hash"
	"io"
	"sync"

	"github.com/tokengrove/grove/fsm/token"
)

// hasher is token.Salt.Hash for many IDs: it keeps the keyed states, which take longer to make
// than an ID takes to hash. It is safe for concurrent use.
type hasher struct {
	salt token.Salt
	free sync.Pool
}

// hash returns what the salt's Hash returns.
func (k *hasher) hash(id token.ID) token.Hash {
	m, _ := k.free.Get().(hash.Hash)
	if m == nil {
		m = k.salt.Keyed()
	}
	io.WriteString(m, string(id))
	var h token.Hash
	m.Sum(h[:0])
	m.Reset()
	k.free.Put(m)
	return h
}

// hasher returns the hasher of the cluster's salt, which is fixed once there is a cluster.
func (a *api) hasher(s token.Salt) *hasher {
	h := a.hashes.Load()
	if h == nil || h.salt != s {
		h = &hasher{salt: s}
		a.hashes.Store(h)
	}
	return h
}
