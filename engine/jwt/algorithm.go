package jwt

import (
	"crypto"
	"slices"
	"strings"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/tokengrove/grove/engine"
)

// algorithms are what a signature may be made with, and with what hash. All of them take a public key: an HMAC under a text that is
// public, and "none", are refused before any key is looked at, whatever a token or a key says of itself.
var algorithms = map[jose.SignatureAlgorithm]crypto.Hash{
	jose.RS256: crypto.SHA256, jose.RS384: crypto.SHA384, jose.RS512: crypto.SHA512,
	jose.ES256: crypto.SHA256, jose.ES384: crypto.SHA384, jose.ES512: crypto.SHA512,
	jose.PS256: crypto.SHA256, jose.PS384: crypto.SHA384, jose.PS512: crypto.SHA512,
	jose.EdDSA: crypto.SHA512,
}

// allAlgorithms are the names of all of them, sorted.
var allAlgorithms = func() (all []jose.SignatureAlgorithm) {
	for a := range algorithms { // order: sorted below
		all = append(all, a)
	}
	slices.Sort(all)
	return all
}()

// checkAlgorithms refuses names that are not among them.
func checkAlgorithms(names []string) error {
	for _, n := range names {
		if _, ok := algorithms[jose.SignatureAlgorithm(n)]; !ok {
			return engine.Invalid("invalid jwt_supported_algs: unsupported signing algorithm %q: %s are allowed", n, joined(allAlgorithms))
		}
	}
	return nil
}

func joined(names []jose.SignatureAlgorithm) string {
	var b strings.Builder
	for i, n := range names {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(n))
	}
	return b.String()
}
