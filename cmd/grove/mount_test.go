package main

import (
	"strings"
	"testing"
)

// TestAuthCommands runs the commands about login methods against a server.
func TestAuthCommands(t *testing.T) {
	t.Parallel()
	f := newFake(t, always(200, `{"data":{"userpass/":{"type":"userpass","accessor":"auth_userpass_1","description":"d"}},"auth":{"client_token":"hvs.new","accessor":"a","policies":["default"],"token_policies":["default"],"lease_duration":60,"renewable":true}}`))
	vars := map[string]string{"VAULT_ADDR": f.URL, "VAULT_TOKEN": "root", "HOME": t.TempDir()}
	for _, c := range []struct {
		args                   string
		input                  string
		method, uri, body, out string
	}{
		{"auth enable -path=ci -description=d -default-lease-ttl=1h userpass", "", "PUT", "/v1/sys/auth/ci", `{"config":{"default_lease_ttl":"1h"},"description":"d","type":"userpass"}`, "Enabled userpass auth method at: ci/"},
		{"auth enable userpass", "", "PUT", "/v1/sys/auth/userpass", `{"config":{},"description":"","type":"userpass"}`, "at: userpass/"},
		{"auth list", "", "GET", "/v1/sys/auth", "", "auth_userpass_1"},
		{"auth tune -max-lease-ttl=2h ci/", "", "PUT", "/v1/sys/auth/ci/tune", `{"max_lease_ttl":"2h"}`, "Tuned the auth method at: ci/"},
		{
			"auth tune -user-lockout-threshold=3 -user-lockout-disable=false -audit-non-hmac-request-keys=a -audit-non-hmac-request-keys=b -options=k=v ci", "", "PUT", "/v1/sys/auth/ci/tune",
			`{"audit_non_hmac_request_keys":["a","b"],"options":{"k":"v"},"user_lockout_config":{"lockout_disable":"false","lockout_threshold":"3"}}`, "Tuned",
		},
		{"auth list -detailed", "", "GET", "/v1/sys/auth", "", "UUID"},
		{"auth move ci/ cd", "", "PUT", "/v1/sys/remount", `{"from":"auth/ci/","to":"auth/cd/"}`, "to: auth/cd/"},
		{"auth disable ci/", "", "DELETE", "/v1/sys/auth/ci", "", "at: ci/"},
		{"secrets enable -path=hook -max-lease-ttl=2h webhook", "", "PUT", "/v1/sys/mounts/hook", `{"config":{"max_lease_ttl":"2h"},"description":"","type":"webhook"}`, "Enabled webhook secrets engine at: hook/"},
		{"secrets list", "", "GET", "/v1/sys/mounts", "", "auth_userpass_1"},
		{"secrets tune -description=d hook/", "", "PUT", "/v1/sys/mounts/hook/tune", `{"description":"d"}`, "Tuned the secrets engine at: hook/"},
		{"secrets move hook moved/", "", "PUT", "/v1/sys/remount", `{"from":"hook/","to":"moved/"}`, "to: moved/"},
		{"secrets disable hook", "", "DELETE", "/v1/sys/mounts/hook", "", "Disabled the secrets engine (if it existed) at: hook/"},
		{"login -method=userpass -path=ci username=bob", "pw\n", "PUT", "/v1/auth/ci/login/bob", `{"password":"pw"}`, "hvs.new"},
		{"login -method=userpass -no-store mount=cd/ username=bob password=pw", "", "PUT", "/v1/auth/cd/login/bob", `{"password":"pw"}`, "hvs.new"},
		{"login -method=github -no-store token=ghp_1", "", "PUT", "/v1/auth/github/login", `{"token":"ghp_1"}`, "hvs.new"},
		{"login -method=github -no-store -path=gh", "ghp_2\n", "PUT", "/v1/auth/gh/login", `{"token":"ghp_2"}`, "hvs.new"},
		{"login -method=kubernetes -no-store role=web jwt=a.b.c", "", "PUT", "/v1/auth/kubernetes/login", `{"jwt":"a.b.c","role":"web"}`, "hvs.new"},
		{"login -method=kubernetes -no-store role=web", "a.b.c\n", "PUT", "/v1/auth/kubernetes/login", `{"jwt":"a.b.c","role":"web"}`, "hvs.new"},
		{"login -method=userpass -no-store username=bob password=pw", "", "PUT", "/v1/auth/userpass/login/bob", `{"password":"pw"}`, "hvs.new"},
		{"login -method=jwt role=ci jwt=a.b.c", "", "PUT", "/v1/auth/jwt/login", `{"jwt":"a.b.c","role":"ci"}`, "hvs.new"},
		{"login -method=jwt -path=/gitlab/", "a.b.c\r\n", "PUT", "/v1/auth/gitlab/login", `{"jwt":"a.b.c"}`, "hvs.new"},
	} {
		r := runCLI(t.Context(), vars, c.input, strings.Fields(c.args)...)
		got, _ := f.requests()
		if r.code != 0 || got.method != c.method || got.uri != c.uri || strings.TrimSpace(got.body) != c.body || !strings.Contains(r.out, c.out) {
			t.Errorf("grove %s: code %d, asked %+v\nout %q\nerr %q", c.args, r.code, got, r.out, r.errOut)
		}
		if strings.HasPrefix(c.args, "login") && got.token != "" {
			t.Errorf("grove %s sent the old token along", c.args)
		}
	}
	vars["VAULT_AUTH_GITHUB_TOKEN"] = "ghp_3"
	r := runCLI(t.Context(), vars, "", "login", "-method=github", "-no-store")
	if got, _ := f.requests(); r.code != 0 || strings.TrimSpace(got.body) != `{"token":"ghp_3"}` {
		t.Errorf("with the variable: code %d, asked %+v", r.code, got)
	}
	for args, text := range map[string]string{
		"auth tune ci": "othing to change", "login -method=userpass": "serpass needs username=NAME", "login -method=kubernetes jwt=x": "ubernetes needs role=NAME", "login -method=carrier-pigeon": "is not supported", "login a b": "oo many arguments",
	} {
		if r := runCLI(t.Context(), vars, "", strings.Fields(args)...); r.code == 0 || !strings.Contains(r.errOut, text) {
			t.Errorf("grove %s: code %d %q, want %q", args, r.code, r.errOut, text)
		}
	}
}
