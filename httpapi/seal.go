package httpapi

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/tokengrove/grove/fsm/token"
)

// secretOf makes a secret that only who knows a token's ID can make.
//
// The purpose is part of the salt. With the cluster's salt alone, the first step of HKDF would give
// HMAC(salt, ID), which is the token's hash, and that is stored everywhere.
func secretOf(id token.ID, salt token.Salt, purpose string) ([]byte, error) {
	return hkdf.Extract(sha256.New, []byte(id), append([]byte("grove "+purpose+"\x00"), salt[:]...))
}

// box seals what one token keeps. Its key comes from the token's ID, which is in no log, snapshot or
// memory: only a request that brings the ID can open it.
type box struct {
	aead cipher.AEAD
	rand io.Reader
}

func newBox(id token.ID, salt token.Salt, purpose string, rand io.Reader) (*box, error) {
	secret, err := secretOf(id, salt, purpose)
	if err != nil {
		return nil, fmt.Errorf("deriving the key of a %s: %w", purpose, err)
	}
	key, err := hkdf.Expand(sha256.New, secret, "seal", 32)
	if err != nil {
		return nil, fmt.Errorf("deriving the key of a %s: %w", purpose, err)
	}
	b, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("sealing a %s: %w", purpose, err)
	}
	aead, err := cipher.NewGCM(b)
	if err != nil {
		return nil, fmt.Errorf("sealing a %s: %w", purpose, err)
	}
	return &box{aead, rand}, nil
}

// seal encrypts plain, bound to its name:
//
//	nonce [12]byte | AES-256-GCM
func (b *box) seal(plain []byte, name string) ([]byte, error) {
	nonce := make([]byte, b.aead.NonceSize(), b.aead.NonceSize()+len(plain)+b.aead.Overhead())
	if _, err := io.ReadFull(b.rand, nonce); err != nil {
		return nil, fmt.Errorf("sealing: %w", err)
	}
	return b.aead.Seal(nonce, nonce, plain, []byte(name)), nil
}

// open is the inverse of seal.
func (b *box) open(sealed []byte, name string) ([]byte, error) {
	n := b.aead.NonceSize()
	if len(sealed) < n {
		return nil, errors.New("what is sealed is too short")
	}
	plain, err := b.aead.Open(nil, sealed[:n], sealed[n:], []byte(name))
	if err != nil {
		return nil, fmt.Errorf("opening what is sealed: %w", err)
	}
	return plain, nil
}
