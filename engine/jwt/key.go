package jwt

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"

	jose "github.com/go-jose/go-jose/v4"
)

// maxToken bounds the bytes of a token.
const maxToken = 64 << 10

// errSignature: no key has made the signature. It is the same for a key that is unknown and for a wrong signature.
var errSignature = errors.New("error verifying token signature: failed to verify id token signature")

// keySet verifies signatures. It is safe for concurrent use.
type keySet interface {
	// verify returns the payload of jws if one of the keys has signed it, and otherwise errSignature or why keys cannot be had.
	verify(ctx context.Context, jws *jose.JSONWebSignature) ([]byte, error)
}

// signed is a token whose signature was verified.
type signed struct {
	claims
	algorithm jose.SignatureAlgorithm
}

// verify verifies the signature of a token, made with one of some algorithms.
func verify(ctx context.Context, keys keySet, text string, allowed []jose.SignatureAlgorithm) (*signed, error) {
	if len(text) > maxToken {
		return nil, fmt.Errorf("a token has at most %d bytes, this one has %d", maxToken, len(text))
	}
	jws, err := jose.ParseSignedCompact(text, allowed)
	if err != nil {
		return nil, fmt.Errorf("error parsing token: no JWT that is signed with one of %s: %w", joined(allowed), err)
	}
	payload, err := keys.verify(ctx, jws)
	if err != nil {
		return nil, err
	}
	c, err := parseClaims(payload)
	if err != nil {
		return nil, err
	}
	return &signed{c, jose.SignatureAlgorithm(jws.Signatures[0].Header.Algorithm)}, nil
}

// staticKeys are public keys of the configuration.
type staticKeys []crypto.PublicKey

func (s staticKeys) verify(_ context.Context, jws *jose.JSONWebSignature) ([]byte, error) {
	for _, k := range s {
		if payload, err := jws.Verify(k); err == nil {
			return payload, nil
		}
	}
	return nil, errSignature
}

// parsePublicKey reads a public key, or that of a certificate, in PEM.
func parsePublicKey(text string) (crypto.PublicKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("error parsing public key: data does not contain any valid public keys in PEM")
	}
	var key crypto.PublicKey
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		var c *x509.Certificate
		if c, err = x509.ParseCertificate(block.Bytes); err == nil {
			key = c.PublicKey
		}
	default:
		return nil, fmt.Errorf("error parsing public key: a PEM block of type %q: PUBLIC KEY, RSA PUBLIC KEY and CERTIFICATE are allowed", block.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("error parsing public key: %w", err)
	}
	if !public(key) {
		return nil, fmt.Errorf("error parsing public key: a key of type %T: RSA, ECDSA and Ed25519 are allowed", key)
	}
	return key, nil
}

// public reports whether k is a public key that an algorithm takes.
func public(k any) bool {
	switch k.(type) {
	case *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	}
	return false
}

// parseKeySet reads a JWK set. Keys that are not for signatures, or of no type that is allowed, are left out, and never a reason to
// refuse the others.
func parseKeySet(body []byte) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, fmt.Errorf("no JWK set: %w", err)
	}
	var keys []jose.JSONWebKey
	for _, raw := range set.Keys {
		var k jose.JSONWebKey
		if json.Unmarshal(raw, &k) == nil && public(k.Key) && k.Valid() && (k.Use == "" || k.Use == "sig") {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("the JWK set has no public key for signatures")
	}
	return keys, nil
}

// try verifies with the keys that a token's header allows.
func try(keys []jose.JSONWebKey, jws *jose.JSONWebSignature) ([]byte, bool) {
	h := &jws.Signatures[0].Header
	for i := range keys {
		k := &keys[i]
		if h.KeyID != "" && k.KeyID != h.KeyID || k.Algorithm != "" && k.Algorithm != h.Algorithm {
			continue
		}
		if payload, err := jws.Verify(k.Key); err == nil {
			return payload, true
		}
	}
	return nil, false
}
