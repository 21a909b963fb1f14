package seal

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/tokengrove/grove/fsm/keyring"
)

// KeyLength is the number of bytes of a seal key, and of a data key.
const KeyLength = chacha20poly1305.KeySize

// keyPrefix starts the text of every seal key.
const keyPrefix = "gsk."

// Key is a seal key. The zero Key is none.
type Key [KeyLength]byte

// NewKey makes a seal key.
func NewKey(random io.Reader) (Key, error) {
	var k Key
	if _, err := io.ReadFull(random, k[:]); err != nil {
		return k, fmt.Errorf("making a seal key: %w", err)
	}
	return k, nil
}

// ParseKey is the inverse of Text. Its error never repeats the text.
func ParseKey(s string) (Key, error) {
	var k Key
	text, ok := strings.CutPrefix(strings.TrimSpace(s), keyPrefix)
	b, err := base64.RawURLEncoding.DecodeString(text)
	if !ok || err != nil || len(b) != KeyLength {
		return k, fmt.Errorf("malformed seal key: want %s and %d characters", keyPrefix, base64.RawURLEncoding.EncodedLen(KeyLength))
	}
	copy(k[:], b)
	if k.IsZero() {
		return k, errors.New("the seal key is zero")
	}
	return k, nil
}

// Text is what an operator carries to another cluster.
func (k Key) Text() string { return keyPrefix + base64.RawURLEncoding.EncodeToString(k[:]) }

// IsZero reports whether there is no key.
func (k Key) IsZero() bool { return k == Key{} }

// ID names the key. It is a hash of 256 random bits, and tells nothing about them.
func (k Key) ID() (id keyring.SealID) {
	b, err := hkdf.Key(sha256.New, k[:], nil, "grove seal key id", len(id))
	if err != nil {
		panic(err) // the length is fixed, and short
	}
	return keyring.SealID(b)
}

// wrap seals a data key for one term of one cluster:
//
//	nonce [24]byte | XChaCha20-Poly1305, bound to the cluster and the term
func (k Key) wrap(random io.Reader, cluster string, term uint32, data []byte) ([]byte, error) {
	return sealInto(nil, k.cipher(), random, data, place(cluster, term))
}

// unwrap is the inverse of wrap.
func (k Key) unwrap(of keyring.Key) ([]byte, error) {
	data, err := openFrom(k.cipher(), of.Sealed, place(of.Cluster, of.Term))
	if err == nil && len(data) != KeyLength {
		err = fmt.Errorf("a data key of %d bytes", len(data))
	}
	return data, err
}

// place is what a data key is bound to.
func place(cluster string, term uint32) []byte {
	return append(binary.BigEndian.AppendUint32([]byte("grove data key\x00"), term), cluster...)
}

func (k Key) cipher() cipher.AEAD { return aeadOf(k[:]) }

func aeadOf(key []byte) cipher.AEAD {
	c, err := chacha20poly1305.NewX(key)
	if err != nil {
		panic(err) // the length is fixed
	}
	return c
}

// sealInto appends a random nonce and plain, encrypted, to head.
func sealInto(head []byte, c cipher.AEAD, random io.Reader, plain, context []byte) ([]byte, error) {
	n := len(head)
	out := append(make([]byte, 0, n+c.NonceSize()+len(plain)+c.Overhead()), head...)[:n+c.NonceSize()]
	if _, err := io.ReadFull(random, out[n:]); err != nil {
		return nil, fmt.Errorf("a nonce: %w", err)
	}
	return c.Seal(out, out[n:], plain, context), nil
}

// openFrom is the inverse of sealInto, without a head.
func openFrom(c cipher.AEAD, sealed, context []byte) ([]byte, error) {
	if len(sealed) < c.NonceSize() {
		return nil, errors.New("too short")
	}
	return c.Open(nil, sealed[:c.NonceSize()], sealed[c.NonceSize():], context)
}
