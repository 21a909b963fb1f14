package enginetest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"

	"github.com/tokengrove/grove/engine"
)

// sealer seals with AES-GCM.
type sealer struct{ cipher.AEAD }

// NewSealer makes a sealer with a random key of its own.
func NewSealer() engine.Sealer {
	key := make([]byte, 32)
	rand.Read(key) // never fails
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // the key has the right size
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // it is AES
	}
	return sealer{aead}
}

// Seal implements engine.Sealer.
func (s sealer) Seal(plain, context []byte) ([]byte, error) {
	return s.AEAD.Seal(nil, nil, plain, context), nil
}

// Open implements engine.Sealer.
func (s sealer) Open(sealed, context []byte) ([]byte, error) {
	return s.AEAD.Open(nil, nil, sealed, context)
}
