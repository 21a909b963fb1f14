package seal

import (
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/keyring"
)

// sealedVersion is the first byte of everything that is sealed.
const sealedVersion = 1

// headLength is the length of what stands before the nonce.
const headLength = 1 + 4

// ErrNotSealed is wrapped by the error about bytes that Seal has not made in this cluster and for this context,
// whatever they are.
var ErrNotSealed = errors.New("this was not sealed here, or for another place")

// Keyring seals and opens with the keys of the replicated state, of which it keeps those that were needed open, in memory.
type Keyring struct {
	view   func(func(*fsm.Machine))
	own    func() Key // the seal key of this node; zero: none yet
	random io.Reader

	mu     sync.Mutex
	ring   *keyring.Ring // that the cache is of
	seal   Key           // likewise
	opened map[uint32]cipher.AEAD
}

// New makes a Keyring. view shows the machine; own returns the node's seal key.
func New(view func(func(*fsm.Machine)), own func() Key, random io.Reader) *Keyring {
	return &Keyring{view: view, own: own, random: random}
}

// now returns the ring of the local replica.
func (k *Keyring) now() (r *keyring.Ring) {
	k.view(func(m *fsm.Machine) { r = m.Keyring() })
	return r
}

// Seal encrypts plain with the newest key, bound to context:
//
//	version u8 | term u32 | nonce [24]byte | XChaCha20-Poly1305, bound to version, term and context
func (k *Keyring) Seal(plain, context []byte) ([]byte, error) {
	r := k.now()
	last := r.Last()
	if last.Term == 0 {
		return nil, fsm.Errorf(fsm.Unavailable, "the keyring of this cluster is not made yet: try again in a moment")
	}
	c, err := k.cipher(r, last)
	if err != nil {
		return nil, err
	}
	head := binary.BigEndian.AppendUint32([]byte{sealedVersion}, last.Term)
	sealed, err := sealInto(head, c, k.random, plain, bound(head, context))
	if err != nil {
		return nil, fmt.Errorf("sealing: %w", err)
	}
	return sealed, nil
}

// Open is the inverse of Seal. ErrNotSealed: there is nothing that these bytes could be; an Unavailable error:
// this node has the term, and cannot open its key.
func (k *Keyring) Open(sealed, context []byte) ([]byte, error) {
	if len(sealed) < headLength || sealed[0] != sealedVersion {
		return nil, ErrNotSealed
	}
	term := binary.BigEndian.Uint32(sealed[1:])
	r := k.now()
	key, ok := r.Key(term)
	if !ok {
		return nil, fmt.Errorf("%w: the keyring has no term %d", ErrNotSealed, term)
	}
	c, err := k.cipher(r, key)
	if err != nil {
		return nil, err
	}
	plain, err := openFrom(c, sealed[headLength:], bound(sealed[:headLength], context))
	if err != nil {
		return nil, ErrNotSealed
	}
	return plain, nil
}

// bound is what the ciphertext authenticates besides: the head has always the same length.
func bound(head, context []byte) []byte {
	return append(append(make([]byte, 0, len(head)+len(context)), head...), context...)
}

// Mint makes the key of the next term.
func (k *Keyring) Mint() (keyring.Key, error) {
	var next keyring.Key
	k.view(func(m *fsm.Machine) { next.Term, next.Cluster = m.Keyring().Last().Term+1, m.Identity().ClusterID })
	own := k.own()
	switch {
	case own.IsZero():
		return next, fsm.Errorf(fsm.Unavailable, "this node has no seal key yet")
	case next.Cluster == "":
		return next, fsm.Errorf(fsm.Unavailable, "this node is in no cluster yet")
	}
	data, err := NewKey(k.random)
	if err != nil {
		return next, err
	}
	next.Seal = own.ID()
	next.Sealed, err = own.wrap(k.random, next.Cluster, next.Term, data[:])
	return next, err
}

// Check says why this node cannot open one of the keys, the newest first. nil: it can open all.
func (k *Keyring) Check() error {
	r := k.now()
	for i := len(r.Keys) - 1; i >= 0; i-- {
		if _, err := k.cipher(r, r.Keys[i]); err != nil {
			return err
		}
	}
	return nil
}

// Newest says why this node cannot seal: there is no key, or it cannot open the newest one.
func (k *Keyring) Newest() error {
	r := k.now()
	if len(r.Keys) == 0 {
		return errors.New("the keyring is empty")
	}
	_, err := k.cipher(r, r.Last())
	return err
}

// cipher returns the opened key of a term of r.
func (k *Keyring) cipher(r *keyring.Ring, key keyring.Key) (cipher.AEAD, error) {
	own := k.own()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ring != r || k.seal != own {
		k.ring, k.seal, k.opened = r, own, map[uint32]cipher.AEAD{}
	}
	if c, ok := k.opened[key.Term]; ok {
		return c, nil
	}
	data, err := own.unwrap(key)
	if err != nil {
		return nil, fsm.Errorf(fsm.Unavailable, "the key of term %d is sealed under the seal key %x of cluster %s, and this node has the seal key %x: what was sealed in that term cannot be read here", key.Term, key.Seal, key.Cluster, own.ID())
	}
	c := aeadOf(data)
	k.opened[key.Term] = c
	return c, nil
}
