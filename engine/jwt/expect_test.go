package jwt

import (
	"strings"
	"testing"
	"time"
)

var parsedTime = time.Unix(1_000_000, 0)

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}

// TestTimes: at second 1,000,000. The leeways of expiration and not-before only stand in for a time that a token does not name.
func TestTimes(t *testing.T) {
	t.Parallel()
	const (
		expired = "token is expired"
		early   = "not yet valid"
		future  = "issued in the future"
	)
	for _, c := range []struct {
		name, claims string
		l            leeways
		want         string
	}{
		{"none", `{}`, leeways{}, "no issued at (iat), not before (nbf), or expiration time (exp)"},
		{"good", `{"iat":999990,"nbf":999990,"exp":1000100}`, leeways{}, ""},
		{"expired within the skew", `{"iat":999000,"exp":999940}`, leeways{}, ""},
		{"expired beyond the skew", `{"iat":999000,"exp":999939}`, leeways{}, expired},
		{"expired, no skew", `{"iat":999000,"exp":999999}`, leeways{Skew: -time.Second}, expired},
		{"expires now, no skew", `{"iat":999000,"exp":1000000}`, leeways{Skew: -time.Second}, ""},
		{"expired, long skew", `{"iat":999000,"exp":999800}`, leeways{Skew: 200 * time.Second}, ""},
		{"expiration leeway is none of a token that says when", `{"iat":999000,"exp":999800}`, leeways{Expiration: time.Hour}, expired},
		{"early within the skew", `{"nbf":1000060,"exp":1000100}`, leeways{}, ""},
		{"early beyond the skew", `{"nbf":1000061,"exp":1000100}`, leeways{}, early},
		{"early, no skew", `{"nbf":1000001,"exp":1000100}`, leeways{Skew: -1}, early},
		{"from the future", `{"iat":1000061,"nbf":999990,"exp":1000100}`, leeways{}, future},
		{"from the future within the skew", `{"iat":1000060,"nbf":999990,"exp":1000100}`, leeways{}, ""},
		{"no exp: iat and the default", `{"iat":999790}`, leeways{}, ""},
		{"no exp: too long ago", `{"iat":999789}`, leeways{}, expired},
		{"no exp: the later of two", `{"iat":999000,"nbf":999800}`, leeways{}, ""},
		{"no exp: a leeway", `{"iat":999000}`, leeways{Expiration: 1000 * time.Second}, ""},
		{"no exp: no leeway", `{"iat":999939}`, leeways{Expiration: -1}, expired},
		{"no nbf: iat", `{"iat":1000050,"exp":1000100}`, leeways{}, ""},
		{"no nbf, no iat: before exp", `{"exp":1000210}`, leeways{}, ""},
		{"no nbf, no iat: too long before exp", `{"exp":1000211}`, leeways{}, early},
		{"no nbf, no iat: a leeway", `{"exp":1001000}`, leeways{NotBefore: 1000 * time.Second}, ""},
		{"no nbf, no iat: no leeway", `{"exp":1000061}`, leeways{NotBefore: -1}, early},
		{"a fraction", `{"iat":999990.7,"exp":1000100.5}`, leeways{}, ""},
		{"exp of zero is a time", `{"iat":999990,"exp":0}`, leeways{}, expired},
		{"no number", `{"exp":"1000100"}`, leeways{}, "the exp claim is no number"},
		{"null", `{"exp":null}`, leeways{}, "the exp claim is no number"},
		{"negative", `{"exp":-1}`, leeways{}, "is no time"},
		{"beyond all times", `{"exp":1e300,"iat":999990}`, leeways{}, "is no time"},
		{"beyond all numbers", `{"nbf":1e999}`, leeways{}, "is no time"},
		{"another spelling is none", `{"EXP":1000100,"Iat":1000000}`, leeways{}, "no issued at"},
	} {
		t.Run(c.name, func(t *testing.T) { wantError(t, c.l.check(parsed(t, c.claims), parsedTime), c.want) })
	}
}

func TestExpectJWT(t *testing.T) {
	t.Parallel()
	const times = `"iat":1000000,"exp":1000100`
	for _, c := range []struct {
		claims, issuer string
		bounds         bounds
		want           string
	}{
		{`{"iss":"i","sub":"s","aud":"a",` + times + `}`, "i", bounds{Subject: "s", Audiences: []string{"b", "a"}}, ""},
		{`{` + times + `}`, "", bounds{}, ""},
		{`{"iss":"j",` + times + `}`, "i", bounds{}, "invalid issuer (iss)"},
		{`{` + times + `}`, "i", bounds{}, "invalid issuer (iss)"},
		{`{"iss":["i"],` + times + `}`, "i", bounds{}, "invalid issuer (iss)"},
		{`{"ISS":"i",` + times + `}`, "i", bounds{}, "invalid issuer (iss)"},
		{`{"ſub":"s","sub":"x",` + times + `}`, "", bounds{Subject: "s"}, "invalid subject (sub)"},
		{`{"sub":"t",` + times + `}`, "", bounds{Subject: "s"}, "invalid subject (sub)"},
		{`{"aud":["x","a"],` + times + `}`, "", bounds{Audiences: []string{"a"}}, ""},
		{`{"aud":["x"],` + times + `}`, "", bounds{Audiences: []string{"a"}}, "does not match any bound audience"},
		{`{` + times + `}`, "", bounds{Audiences: []string{"a"}}, "does not match any bound audience"},
		{`{"aud":7,` + times + `}`, "", bounds{Audiences: []string{"a"}}, "no text or list of texts"},
		{`{"aud":["a",7],` + times + `}`, "", bounds{Audiences: []string{"a"}}, "no text or list of texts"},
	} {
		r := role{Bounds: c.bounds}
		wantError(t, r.expectJWT(parsed(t, c.claims), c.issuer, parsedTime), c.want)
	}
}

func TestExpectIDToken(t *testing.T) {
	t.Parallel()
	good := claims{"iss": "https://i", "sub": "s", "aud": "c", "nonce": "n"}
	for _, c := range []struct {
		name    string
		changes claims
		want    idToken
		err     string
	}{
		{"good", nil, idToken{}, ""},
		{"other issuer", claims{"iss": "https://j"}, idToken{}, "issued by"},
		{"no issuer", claims{"iss": nil}, idToken{}, "issued by"},
		{"Google", claims{"iss": "accounts.google.com"}, idToken{issuer: "https://accounts.google.com"}, ""},
		{"without scheme, not Google", claims{"iss": "i"}, idToken{}, "issued by"},
		{"no subject", claims{"sub": nil}, idToken{}, "no sub claim"},
		{"other nonce", claims{"nonce": "m"}, idToken{}, "another nonce"},
		{"no nonce", claims{"nonce": nil}, idToken{}, "another nonce"},
		{"no audience", claims{"aud": nil}, idToken{}, "no aud claim"},
		{"no audience in the list", claims{"aud": []any{}}, idToken{}, "no aud claim"},
		{"other audience", claims{"aud": "d"}, idToken{}, "is not for the client"},
		{"other audience, for the client", claims{"aud": "d", "azp": "c"}, idToken{}, ""},
		{"other party", claims{"azp": "d"}, idToken{}, "another party"},
		{"a party that is no text", claims{"azp": 7}, idToken{}, "another party"},
		{"several audiences", claims{"aud": []any{"c", "d"}, "azp": "c"}, idToken{}, ""},
		{"several audiences, no party", claims{"aud": []any{"c", "d"}}, idToken{}, "needs an azp"},
		{"several others", claims{"aud": []any{"d", "e"}, "azp": "c"}, idToken{}, "none of the several"},
		{"bound audience", nil, idToken{audiences: []string{"x", "c"}}, ""},
		{"unbound audience", nil, idToken{audiences: []string{"x"}}, "does not match any bound audience"},
		{"expired", claims{"exp": 999900}, idToken{}, "expired"},
		{"never expires", claims{"exp": nil}, idToken{}, "no exp claim"},
		{"recent", claims{"auth_time": 999900}, idToken{maxAge: 100 * time.Second}, ""},
		{"long ago", claims{"auth_time": 999800}, idToken{maxAge: 100 * time.Second}, "more than 1m40s ago"},
		{"nobody knows when", nil, idToken{maxAge: 100 * time.Second}, "no auth_time"},
	} {
		t.Run(c.name, func(t *testing.T) {
			all := good.with(claims{"iat": 1000000, "exp": 1000100}).with(c.changes)
			want := c.want
			want.client, want.nonce = "c", "n"
			if want.issuer == "" {
				want.issuer = "https://i"
			}
			wantError(t, want.expect(parsed(t, string(must(jsonOf(all)))), parsedTime), c.err)
		})
	}
}
