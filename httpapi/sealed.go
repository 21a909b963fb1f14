package httpapi

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/json"
	"errors"
	"fmt"
)

// nonceLength is the number of random bytes that a keyed request brings.
const nonceLength = 16

// seal encrypts the memo: what is stored must be of no use to whoever does not send the caller's ID and the key.
//
//	nonce [16]byte | AES-256-GCM of the memo's JSON, under a key of this nonce alone, bound to the request
func (k *keyed) seal() ([]byte, error) {
	plain, err := json.Marshal(&k.memo)
	if err != nil {
		return nil, fmt.Errorf("encoding a memo: %w", err)
	}
	c, err := k.cipher()
	if err != nil {
		return nil, err
	}
	return c.Seal(k.nonce[:len(k.nonce):len(k.nonce)], make([]byte, c.NonceSize()), plain, k.request[:]), nil
}

// unseal is the inverse of seal; the nonce and the memo become the request's.
func (k *keyed) unseal(sealed []byte) error {
	if len(sealed) < nonceLength {
		return errors.New("a memo that is too short")
	}
	k.nonce, k.memo = [nonceLength]byte(sealed), memo{}
	c, err := k.cipher()
	if err != nil {
		return err
	}
	plain, err := c.Open(nil, make([]byte, c.NonceSize()), sealed[nonceLength:], k.request[:])
	if err != nil {
		return fmt.Errorf("opening a memo: %w", err)
	}
	if err := json.Unmarshal(plain, &k.memo); err != nil {
		return fmt.Errorf("decoding a memo: %w", err)
	}
	return nil
}

// cipher is used for one message: its nonce is zero.
func (k *keyed) cipher() (cipher.AEAD, error) {
	key := k.of("seal")
	b, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, fmt.Errorf("sealing a memo: %w", err)
	}
	c, err := cipher.NewGCM(b)
	if err != nil {
		return nil, fmt.Errorf("sealing a memo: %w", err)
	}
	return c, nil
}
