package main

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// rotation is an answer of sys/grove/rotate-ca.
func rotation(rotating bool, waiting string) string {
	text := `{"request_id":"r","data":{"rotating":false,"version":3,"authorities":[{"fingerprint":"ab","signs":true,"expire_time":"2036-01-01T00:00:00Z"}],"waiting_for":[` + waiting + `]}}`
	if rotating {
		text = strings.Replace(text, "false", "true", 1)
	}
	return text
}

func TestRotateCA(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(n int, w http.ResponseWriter) { io.WriteString(w, rotation(n < 3, `"n2"`)) })
	run := func(args ...string) result {
		return runCLI(t.Context(), map[string]string{"VAULT_ADDR": f.URL, "VAULT_TOKEN": "t"}, "", append([]string{"operator", "rotate-ca"}, args...)...)
	}
	if r := run(); r.code != 0 || !strings.Contains(r.out, "ab") || !strings.Contains(r.out, "2036-01-01") {
		t.Errorf("a rotation: %+v", r)
	}
	if last, n := f.requests(); n != 3 || last.method != "GET" || last.uri != "/v1/sys/grove/rotate-ca" {
		t.Errorf("%d requests, the last one %+v", n, last)
	}
	if r := run("-status", "-field=version"); r.code != 0 || r.out != "3" {
		t.Errorf("status: %+v", r)
	}
	for waiting, want := range map[string]string{`"n2","n3"`: "waits for n2, n3", ``: "waits for its next step"} {
		slow := newFake(t, always(200, rotation(true, waiting)))
		vars := map[string]string{"VAULT_ADDR": slow.URL, "VAULT_TOKEN": "t"}
		if r := runCLI(t.Context(), vars, "", "operator", "rotate-ca", "-timeout=1ms"); r.code != 1 || !strings.Contains(r.errOut, want) {
			t.Errorf("a rotation that waits: %+v, want %q", r, want)
		}
		if r := runCLI(t.Context(), vars, "", "operator", "rotate-ca", "-detach"); r.code != 0 {
			t.Errorf("detached: %+v", r)
		}
		if _, n := slow.requests(); n < 2 {
			t.Errorf("%d requests", n)
		}
	}
}

func TestJoinTokenOutput(t *testing.T) {
	t.Parallel()
	f := newFake(t, always(200, `{"request_id":"r","data":{"join_token":"gjt.x","ttl":60,"expire_time":"2036-01-01T00:00:00Z"}}`))
	vars := map[string]string{"VAULT_ADDR": f.URL, "VAULT_TOKEN": "t"}
	if r := runCLI(t.Context(), vars, "", "operator", "join-token", "-ttl=1m"); r.code != 0 || !strings.Contains(r.out, "gjt.x") || !strings.Contains(r.out, "2036-01-01") {
		t.Errorf("%+v", r)
	}
	if last, _ := f.requests(); last.method != "POST" || last.uri != "/v1/sys/grove/join-token" || last.body != `{"ttl":"1m"}`+"\n" && last.body != `{"ttl":"1m"}` {
		t.Errorf("asked %+v", last)
	}
	if r := runCLI(t.Context(), vars, "", "operator", "join-token", "-field=join_token"); r.out != "gjt.x" {
		t.Errorf("one field: %+v", r)
	}
}
