package jwt

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Leeways where a role names none. Those of expiration and not-before count for tokens that do not say when they end or
// start; that of the clock counts always.
const (
	defaultLeeway = 150 * time.Second
	defaultSkew   = time.Minute
)

// leeways are those of a role: 0 is the default, a negative one is none.
type leeways struct {
	Expiration time.Duration `json:"expiration_leeway,omitempty"`
	NotBefore  time.Duration `json:"not_before_leeway,omitempty"`
	Skew       time.Duration `json:"clock_skew_leeway,omitempty"`
}

func leeway(d, usual time.Duration) time.Duration {
	if d == 0 {
		return usual
	}
	return max(d, 0)
}

// check judges the times of a token: "exp", "nbf" and "iat", one of which it must have.
func (l leeways) check(c claims, now time.Time) error {
	issued, hasIssued, err := c.time("iat")
	if err != nil {
		return err
	}
	start, hasStart, err := c.time("nbf")
	if err != nil {
		return err
	}
	end, hasEnd, err := c.time("exp")
	if err != nil {
		return err
	}
	if !hasIssued && !hasStart && !hasEnd {
		return errors.New("no issued at (iat), not before (nbf), or expiration time (exp) claims in token")
	}
	if !hasEnd {
		end = later(issued, start).Add(leeway(l.Expiration, defaultLeeway))
	}
	switch {
	case hasStart:
	case hasIssued:
		start = issued
	default:
		start = end.Add(-leeway(l.NotBefore, defaultLeeway))
	}
	skew := leeway(l.Skew, defaultSkew)
	switch {
	case now.Add(skew).Before(start):
		return errors.New("invalid not before (nbf) claim: token not yet valid")
	case now.Add(-skew).After(end):
		return errors.New("invalid expiration time (exp) claim: token is expired")
	case hasIssued && now.Add(skew).Before(issued):
		return errors.New("invalid issued at (iat) claim: token issued in the future")
	}
	return nil
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// maxTime bounds the seconds of a claim: the year 9999.
const maxTime = 253402300799

// time reads a NumericDate. ok: it is there.
func (c claims) time(name string) (t time.Time, ok bool, err error) {
	v, ok := c[name]
	if !ok {
		return t, false, nil
	}
	n, isNumber := v.(json.Number)
	if !isNumber {
		return t, false, fmt.Errorf("the %s claim is no number", name)
	}
	f, err := n.Float64()
	if err != nil || f < 0 || f > maxTime {
		return t, false, fmt.Errorf("the %s claim %s is no time: seconds since 1970, up to the year 9999, are", name, n)
	}
	return time.Unix(int64(f), 0), true, nil
}

// audience are the texts of the "aud" claim.
func (c claims) audience() ([]string, error) {
	v, ok := c["aud"]
	if !ok {
		return nil, nil
	}
	list, ok := textsOf(v)
	if !ok {
		return nil, errors.New("the aud claim is no text or list of texts")
	}
	return list, nil
}

// text is a claim that is a text, "" if there is none.
func (c claims) text(name string) string {
	s, _ := c[name].(string)
	return s
}

// expectJWT judges the registered claims of a token that a client has brought.
func (r *role) expectJWT(c claims, issuer string, now time.Time) error {
	if issuer != "" && c.text("iss") != issuer {
		return errors.New("invalid issuer (iss) claim")
	}
	if r.Bounds.Subject != "" && c.text("sub") != r.Bounds.Subject {
		return errors.New("invalid subject (sub) claim")
	}
	aud, err := c.audience()
	if err != nil {
		return err
	}
	if len(r.Bounds.Audiences) > 0 && !intersect(r.Bounds.Audiences, aud) {
		return errors.New("invalid audience (aud) claim: aud claim does not match any bound audience")
	}
	return r.Leeways.check(c, now)
}

func intersect(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// idToken is what an ID token must be for.
type idToken struct {
	issuer, client, nonce string
	audiences             []string
	maxAge                time.Duration // 0: no matter when the user was asked last
}

// expect judges the registered claims of an ID token (OpenID Connect Core 1.0, 3.1.3.7).
func (t *idToken) expect(c claims, now time.Time) error {
	const skew = defaultSkew
	switch issuer := c.text("iss"); {
	case issuer == t.issuer:
	case t.issuer == "https://accounts.google.com" && "https://"+issuer == t.issuer: // which Google allows itself
	default:
		return fmt.Errorf("the ID token was issued by %q, not by %q", issuer, t.issuer)
	}
	if c.text("sub") == "" {
		return errors.New("the ID token has no sub claim")
	}
	if c.text("nonce") != t.nonce {
		return errors.New("the ID token has another nonce: it is not for this login")
	}
	if err := t.expectAudience(c); err != nil {
		return err
	}
	if _, ok := c["exp"]; !ok {
		return errors.New("the ID token has no exp claim")
	}
	if err := (leeways{}).check(c, now); err != nil {
		return err
	}
	if t.maxAge == 0 {
		return nil
	}
	switch at, ok, err := c.time("auth_time"); {
	case err != nil:
		return err
	case !ok:
		return errors.New("the ID token has no auth_time claim, which max_age of the role needs")
	case at.Add(t.maxAge + skew).Before(now):
		return fmt.Errorf("the user has logged in at the provider more than %s ago, which is max_age of the role", t.maxAge)
	}
	return nil
}

// expectAudience: the client is the audience, or the party that another one's token was issued to.
func (t *idToken) expectAudience(c claims) error {
	aud, err := c.audience()
	if err != nil {
		return err
	}
	party, hasParty := c["azp"]
	switch {
	case len(aud) == 0:
		return errors.New("the ID token has no aud claim")
	case len(t.audiences) > 0 && !intersect(t.audiences, aud):
		return errors.New("aud claim does not match any bound audience")
	case len(aud) > 1 && !slices.Contains(aud, t.client):
		return errors.New("the client is none of the several audiences (aud) of the ID token")
	case hasParty && party != any(t.client):
		return errors.New("the ID token was issued to another party (azp) than the client")
	case !hasParty && (len(aud) > 1 || aud[0] != t.client):
		return errors.New("the ID token is not for the client: its aud claim needs an azp claim that names it")
	}
	return nil
}
