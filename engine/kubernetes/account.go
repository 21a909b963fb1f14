package kubernetes

import (
	"crypto"
	"errors"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/tokengrove/grove/fsm/token"
)

// algorithms are what Kubernetes signs with. All are of public keys.
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512, jose.PS256, jose.PS384, jose.PS512,
}

// account is a service account.
type account struct {
	Namespace, Name, UID string
	Secret               string // that the token is kept in; "": it is projected
}

// claims are what a service account's token says. Older tokens have long names at the top, projected ones
// an object.
type claims struct {
	jwt.Claims
	Namespace string `json:"kubernetes.io/serviceaccount/namespace"`
	Name      string `json:"kubernetes.io/serviceaccount/service-account.name"`
	UID       string `json:"kubernetes.io/serviceaccount/service-account.uid"`
	Secret    string `json:"kubernetes.io/serviceaccount/secret.name"`
	Projected *struct {
		Namespace string `json:"namespace"`
		Account   struct {
			Name string `json:"name"`
			UID  string `json:"uid"`
		} `json:"serviceaccount"`
	} `json:"kubernetes.io"`
}

func (c *claims) account() account {
	if p := c.Projected; p != nil {
		return account{Namespace: p.Namespace, Name: p.Account.Name, UID: p.Account.UID}
	}
	return account{Namespace: c.Namespace, Name: c.Name, UID: c.UID, Secret: c.Secret}
}

// parseToken reads a token, and refuses it if it is over, of another issuer, or signed by none of the keys. Without keys nothing of
// it is proven.
func (cfg *config) parseToken(text string, keys []crypto.PublicKey, now token.Instant) (*claims, error) {
	if len(text) > maxToken {
		return nil, errors.New("too long")
	}
	parsed, err := jwt.ParseSigned(text, algorithms)
	if err != nil {
		return nil, err
	}
	c := new(claims)
	if len(keys) == 0 {
		err = parsed.UnsafeClaimsWithoutVerification(c)
	} else {
		err = verify(parsed, keys, c)
	}
	if err != nil {
		return nil, err
	}
	want := jwt.Expected{Time: now.Time()}
	if cfg.CheckIssuer {
		if want.Issuer = cfg.Issuer; want.Issuer == "" {
			want.Issuer = usualIssuer
		}
	}
	if err := c.Validate(want); err != nil {
		return nil, err
	}
	if a := c.account(); a.Namespace == "" || a.Name == "" || a.UID == "" {
		return nil, errors.New("not the token of a service account")
	}
	return c, nil
}

// verify reads the claims if one of the keys has signed them.
func verify(parsed *jwt.JSONWebToken, keys []crypto.PublicKey, c *claims) error {
	for _, k := range keys {
		if parsed.Claims(k, c) == nil {
			return nil
		}
	}
	return errors.New("signed by none of pem_keys")
}
