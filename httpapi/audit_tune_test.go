package httpapi

import (
	"strings"
	"testing"
)

// TestAuditOfTunedKeys: what sys/auth/PATH/tune names is recorded in clear, of that mount only, and from then on.
func TestAuditOfTunedKeys(t *testing.T) {
	t.Parallel()
	r := newRecorded(t)
	r.enable("f", r.file)
	r.bob("ci", obj{"token_policies": "clear"})
	r.bob("cd", obj{"token_policies": "clear"})
	write := func(at string) map[string]any {
		r.post(rootID, "auth/"+at+"/users/bob", obj{"token_policies": "clear", "password": "wonderland"}).want(204)
		q, _ := r.last()
		return q
	}
	hidden := func(v any) bool {
		text, ok := v.(string)
		return ok && strings.HasPrefix(text, "hmac-sha256:")
	}
	if q := write("ci"); !hidden(q["request.data.token_policies"]) {
		t.Errorf("before: %v", q["request.data.token_policies"])
	}
	r.post(rootID, "sys/auth/ci/tune", obj{"audit_non_hmac_request_keys": "token_policies", "audit_non_hmac_response_keys": arr{"token_type"}}).want(204)
	q := write("ci")
	if q["request.data.token_policies"] != "clear" || !hidden(q["request.data.password"]) {
		t.Errorf("tuned: %v and %v, want one in clear", q["request.data.token_policies"], q["request.data.password"])
	}
	if q := write("cd"); !hidden(q["request.data.token_policies"]) {
		t.Errorf("another mount: %v", q["request.data.token_policies"])
	}
	r.get(rootID, "auth/ci/users/bob").want(200)
	if _, p := r.last(); p["response.data.token_type"] != "default" {
		t.Errorf("the answer's token_type is recorded as %v", p["response.data.token_type"])
	}
	r.get(rootID, "auth/cd/users/bob").want(200)
	if _, p := r.last(); !hidden(p["response.data.token_type"]) {
		t.Errorf("another mount's token_type is recorded as %v", p["response.data.token_type"])
	}
	r.post(rootID, "sys/auth/ci/tune", obj{"audit_non_hmac_request_keys": arr{}}).want(204)
	if q := write("ci"); !hidden(q["request.data.token_policies"]) {
		t.Errorf("tuned back: %v", q["request.data.token_policies"])
	}
}
