package jwt

import (
	"bytes"
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/storage"
)

func TestConfig(t *testing.T) {
	w := newWorld(t)
	if _, err := w.Do(engine.Read, "config", values{}); err != engine.ErrNotFound {
		t.Errorf("without one: %v", err)
	}
	w.oidc(values{"oidc_response_mode": "form_post", "oidc_response_types": []string{"id_token"}, "namespace_in_state": false}, nil)
	data := w.Must(engine.Read, "config", values{})
	for name, want := range map[string]any{
		"oidc_discovery_url": w.i.url, "oidc_discovery_ca_pem": w.i.ca, "oidc_client_id": "grove", "oidc_response_mode": "form_post", "oidc_response_types": []string{"id_token"},
		"default_role": "web", "jwt_validation_pubkeys": []string{}, "jwt_supported_algs": []string{}, "jwks_url": "", "jwks_ca_pem": "", "bound_issuer": "",
		"provider_config": map[string]any{}, "namespace_in_state": false, "jwks_pairs": []string{}, "unsupported_critical_cert_extensions": []string{},
	} {
		w.Is(data, name, want)
	}
	if _, shown := data["oidc_client_secret"]; shown || len(data) != 15 {
		t.Errorf("a read shows %d fields: %v", len(data), data)
	}
	w.Store.Walk("", func(key string, e storage.Entry) bool {
		if bytes.Contains(e.Value, []byte("s3cret")) {
			t.Errorf("the client secret is in %s", key)
		}
		return true
	})
	w.oidc(nil, nil)
	data = w.Must(engine.Read, "config", values{})
	w.Is(data, "oidc_response_mode", "")    // a write replaces everything,
	w.Is(data, "namespace_in_state", false) // but for this
	w.Sealer = nil
	w.Refused(fsm.Unavailable, "no key to seal secrets with", engine.Write, "config", values{
		"oidc_discovery_url": w.i.url, "oidc_discovery_ca_pem": w.i.ca, "oidc_client_id": "grove", "oidc_client_secret": "s3cret",
	})
	w.Refused(fsm.Unavailable, "no key to seal secrets with", engine.Write, "oidc/auth_url", values{"redirect_uri": redirect})
}

func TestRefusedConfigs(t *testing.T) {
	w := newWorld(t)
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead.Close()
	keys := values{"jwt_validation_pubkeys": []string{publicPEM(ecKey())}}
	found := values{"oidc_discovery_url": w.i.url, "oidc_discovery_ca_pem": w.i.ca}
	client := values{"oidc_client_id": "grove", "oidc_client_secret": "s3cret"}
	for _, c := range []struct {
		fields []values
		want   string
	}{
		{[]values{}, "exactly one of"},
		{[]values{keys, found}, "exactly one of"},
		{[]values{keys, {"jwks_url": "https://x"}}, "exactly one of"},
		{[]values{found, {"oidc_client_id": "grove"}}, "both 'oidc_client_id' and 'oidc_client_secret'"},
		{[]values{found, {"oidc_client_secret": "x"}}, "both 'oidc_client_id' and 'oidc_client_secret'"},
		{[]values{keys, client}, "'oidc_discovery_url' must be set for OIDC"},
		{[]values{{"jwt_validation_pubkeys": []string{"x"}}}, "error parsing public key"},
		{[]values{keys, {"jwt_supported_algs": []string{"RS256", "HS256"}}}, `unsupported signing algorithm "HS256": ES256,`},
		{[]values{keys, {"jwt_supported_algs": []string{"none"}}}, `unsupported signing algorithm "none"`},
		{[]values{found, client, {"oidc_response_types": []string{"token"}}}, "invalid response_types [token]. 'code' and 'id_token' are allowed"},
		{[]values{found, client, {"oidc_response_types": []string{"id_token"}}}, "query response_mode may not be used with an id_token"},
		{[]values{found, client, {"oidc_response_mode": "fragment"}}, `invalid response_mode: "fragment"`},
		{[]values{found, client, {"provider_config": map[string]any{"provider": "azure"}}}, "invalid provider_config: no provider-specific handling"},
		{[]values{{"jwks_url": "https://x"}, {"jwks_pairs": []string{"x"}}}, "jwks_pairs is not supported"},
		{[]values{keys, {"unsupported_critical_cert_extensions": []string{"1.2"}}}, "is not supported"},
		{[]values{{"jwks_url": "x"}}, "jwks_url is no URL of the form https://host/path"},
		{[]values{{"jwks_url": "file:///etc/passwd"}}, "jwks_url is no URL"},
		{[]values{{"jwks_url": "https://u:p@host/"}}, "jwks_url is no URL"},
		{[]values{{"jwks_url": w.i.url + "/keys", "jwks_ca_pem": "x"}}, "error checking jwks_ca_pem"},
		{[]values{{"jwks_url": w.i.url + "/keys"}}, "error checking jwks URL " + w.i.url + "/keys"},
		{[]values{{"jwks_url": w.i.url + "/none", "jwks_ca_pem": w.i.ca}}, "404"},
		{[]values{{"jwks_url": w.i.url + "/.well-known/openid-configuration", "jwks_ca_pem": w.i.ca}}, "no public key"},
		{[]values{{"jwks_url": "https://" + dead.Addr().String()}}, "refused"},
		{[]values{{"oidc_discovery_url": w.i.url}}, "error checking oidc discovery URL"},
		{[]values{found, {"oidc_discovery_url": w.i.url + "/"}}, "did not match the issuer"},
		{[]values{found, {"oidc_discovery_ca_pem": "x"}}, "error checking oidc discovery URL: oidc_discovery_ca_pem"},
	} {
		v := values{}
		for _, f := range c.fields {
			maps.Copy(v, f)
		}
		w.Refused(fsm.Invalid, c.want, engine.Write, "config", v)
	}
	if w.Keys("") != 0 {
		t.Error("something is stored")
	}
}

// TestDiscoveryNoWeaker: what was found over HTTPS sends nobody elsewhere.
func TestDiscoveryNoWeaker(t *testing.T) {
	w := newWorld(t)
	for field, bad := range map[string]string{"jwks_uri": "http://x/keys", "token_endpoint": "http://x/token", "authorization_endpoint": "javascript:alert(1)", "userinfo_endpoint": "ftp://x"} {
		w.i.mu.Lock()
		w.i.answer = func(rw http.ResponseWriter, r *http.Request) bool {
			doc := map[string]any{"issuer": w.i.url, "authorization_endpoint": w.i.url, "token_endpoint": w.i.url, "jwks_uri": w.i.url + "/keys"}
			doc[field] = bad
			json.NewEncoder(rw).Encode(doc)
			return true
		}
		w.i.mu.Unlock()
		w.i.advance(pause)
		w.Refused(fsm.Invalid, "sends to "+bad+", which is not https://", engine.Write, "config", values{"oidc_discovery_url": w.i.url, "oidc_discovery_ca_pem": w.i.ca})
	}
}

func TestPlainHTTPIsWarnedOf(t *testing.T) {
	w := newWorld(t)
	plain := httptest.NewServer(http.HandlerFunc(w.i.serve))
	t.Cleanup(plain.Close)
	rs, err := w.Do(engine.Write, "config", values{"jwks_url": plain.URL + "/keys"})
	if err != nil || len(rs.Warnings) != 1 || !strings.Contains(rs.Warnings[0], "can forge logins") {
		t.Errorf("%+v %v, want a warning", rs, err)
	}
}

func TestRole(t *testing.T) {
	w := newWorld(t)
	if _, err := w.Do(engine.Read, "role/r", values{}); err != engine.ErrNotFound {
		t.Errorf("without one: %v", err)
	}
	w.Write("role/R", values{
		"role_type": "jwt", "user_claim": "sub", "bound_subject": "s", "bound_claims": map[string]any{"a": "b"}, "clock_skew_leeway": -time.Second,
		"expiration_leeway": time.Minute, "ttl": time.Hour, "num_uses": int64(5), "policies": []string{"P"}, "max_age": 2 * time.Hour, "bound_cidrs": []string{"10.0.0.0/8"},
	})
	data := w.Must(engine.Read, "role/r", values{})
	for name, want := range map[string]any{
		"role_type": "jwt", "expiration_leeway": int64(60), "not_before_leeway": int64(0), "clock_skew_leeway": int64(-1), "bound_audiences": []string(nil), "bound_subject": "s",
		"bound_claims_type": "string", "bound_claims": claims{"a": "b"}, "claim_mappings": map[string]string(nil), "user_claim": "sub", "user_claim_json_pointer": false,
		"groups_claim": "", "allowed_redirect_uris": []string(nil), "oidc_scopes": []string(nil), "verbose_oidc_logging": false, "max_age": int64(7200),
		"token_ttl": int64(3600), "ttl": int64(3600), "token_num_uses": uint32(5), "num_uses": uint32(5), "token_policies": []string{"p"}, "policies": []string{"p"},
		"token_bound_cidrs": []string{"10.0.0.0/8"}, "bound_cidrs": []string{"10.0.0.0/8"}, "token_type": "default",
	} {
		w.Is(data, name, want)
	}
	w.Write("role/r", values{"role_type": "jwt", "token_ttl": time.Minute, "bound_claims_type": "glob", "claim_mappings": map[string]string{"a": "b"}})
	data = w.Must(engine.Read, "role/r", values{})
	w.Is(data, "user_claim", "sub")
	w.Is(data, "ttl", nil)
	w.Is(data, "bound_claims_type", "glob")
	rs, err := w.Do(engine.Write, "role/r", values{"role_type": "jwt", "verbose_oidc_logging": true, "token_max_ttl": 48 * time.Hour})
	if err != nil || len(rs.Warnings) != 2 {
		t.Errorf("%+v %v, want two warnings", rs, err)
	}
	w.Is(w.Must(engine.Read, "role/r", values{}), "bound_claims_type", "string") // as the reference: not kept
	w.Write("role/o", values{"user_claim": "sub", "allowed_redirect_uris": []string{"https://x"}})
	w.Is(w.Must(engine.Read, "role/o", values{}), "role_type", "oidc")
	rs, err = w.Do(engine.List, "role", values{})
	if err != nil || strings.Join(rs.Keys, " ") != "o r" {
		t.Errorf("%v %v", rs, err)
	}
	w.Must(engine.Delete, "role/o", values{})
	if w.Keys("role/") != 1 {
		t.Error("a role is not deleted")
	}
}

func TestRefusedRoles(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		fields values
		want   string
	}{
		{values{"role_type": "x"}, "invalid 'role_type': x"},
		{values{"user_claim": ""}, "a user claim must be defined on the role"},
		{values{"role_type": "oidc"}, "'allowed_redirect_uris' must be set"},
		{values{"role_type": ""}, "'allowed_redirect_uris' must be set"},
		{values{"bound_audiences": []string{}}, "must have at least one bound constraint"},
		{values{"bound_claims_type": "regex"}, "invalid 'bound_claims_type': regex"},
		{values{"bound_claims_type": "glob", "bound_claims": map[string]any{"a": true}}, "claim is not a string: true"},
		{values{"bound_claims": map[string]any{"a": map[string]any{}}}, "claim is not a string or list"},
		{values{"claim_mappings": map[string]string{"a": "role"}}, `"role" is reserved`},
		{values{"claim_mappings": map[string]string{"a": "x", "b": "x"}}, `multiple keys are mapped to metadata key "x"`},
		{values{"token_ttl": 2 * time.Hour, "token_max_ttl": time.Hour}, "cannot be greater"},
		{values{"token_period": 25 * time.Hour}, "greater than the backend's maximum lease TTL"},
		{values{"num_uses": int64(-1)}, "cannot be negative"},
	} {
		v := values{"role_type": "jwt", "user_claim": "sub", "bound_audiences": []string{"a"}}
		maps.Copy(v, c.fields)
		w.Refused(fsm.Invalid, c.want, engine.Write, "role/r", v)
	}
	if w.Keys("") != 0 {
		t.Error("something is stored")
	}
}
