package audit

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	table "github.com/tokengrove/grove/fsm/audit"
)

// Computed with `printf %s TEXT | openssl dgst -sha256 -mac HMAC -macopt hexkey:KEY` for the salt 01 02 03 00….
const (
	hmacToken    = "hmac-sha256:1209c2341f0a43fcc52bd6bd49ec02c89e60a60f01b9d735b414b20301725051"
	hmacAccessor = "hmac-sha256:c7b7028be02e611d79c7006ddeb5e8e8a0db5f6bffa3692b5d0878c6e3646c90"
	hmacX        = "hmac-sha256:4f252667ffcd552b7ff29888ea878c10aa6ba0d76571e207ecf911fdef8aa19f"
	hmacK1       = "hmac-sha256:5f933cdca9220011331d174e4b460abd52d6b900c317b07750d85c8a05bff1e4"
)

func TestHash(t *testing.T) {
	if got := Hash(table.Salt{1, 2, 3}, "hvs.secret"); got != hmacToken {
		t.Errorf("got %s, openssl says %s", got, hmacToken)
	}
}

// lineOf formats a sample as a device with some options does.
func lineOf(t *testing.T, kind string, hs []table.Header, options ...string) (map[string]any, string) {
	t.Helper()
	d := fileAt("f/", "discard", options...)
	c := Config{}
	o, err := c.parse(&d)
	if err != nil {
		t.Fatal(err)
	}
	b, err := o.line(sample(kind), hs)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	if !strings.HasSuffix(text, "}\n") || strings.Count(text, "\n") != 1 {
		t.Fatalf("no line: %q", text)
	}
	return entries(t, b[strings.IndexByte(text, '{'):])[0], text
}

func TestVeiled(t *testing.T) {
	e, text := lineOf(t, "response", []table.Header{{Name: "x-trace"}, {Name: "x-vault-token"}})
	for _, secret := range []string{"hvs.", "the-accessor", "new-accessor", "wrap-accessor", `"x"`, `"k1"`} {
		if strings.Contains(text, secret) {
			t.Errorf("%s is shown: %s", secret, text)
		}
	}
	for _, c := range []struct {
		got, want any
	}{
		{at(e, "auth", "client_token"), hmacToken}, {at(e, "auth", "accessor"), hmacAccessor},
		{at(e, "request", "client_token"), hmacToken}, {at(e, "request", "client_token_accessor"), hmacAccessor},
		{at(e, "request", "data", "plain"), "shown"}, {at(e, "request", "data", "n"), 3.0},
		{at(e, "request", "data", "deep", "list").([]any)[0], hmacX}, {at(e, "request", "data", "deep", "list").([]any)[1], 7.0},
		{at(e, "response", "data", "seen"), "clear"}, {at(e, "response", "data", "keys").([]any)[0], hmacK1},
		{at(e, "request", "headers", "x-trace").([]any)[1], "two"}, {at(e, "request", "headers", "x-vault-token").([]any)[0], hmacToken},
		{at(e, "auth", "metadata", "a"), "b"},
	} {
		if c.got != c.want {
			t.Errorf("got %v, want %v", c.got, c.want)
		}
	}
	if !strings.HasPrefix(text, `{"auth"`) { // no time was set
		t.Errorf("fields out of order: %s", text)
	}
}

func TestFormatOptions(t *testing.T) {
	t.Run("log_raw", func(t *testing.T) {
		e, _ := lineOf(t, "response", []table.Header{{Name: "x-trace", HMAC: true}, {Name: "x-vault-token"}}, "log_raw", "true")
		if at(e, "auth", "client_token") != "hvs.secret" || at(e, "response", "data", "keys").([]any)[0] != "k1" || at(e, "request", "headers", "x-trace").([]any)[0] != "one" {
			t.Errorf("veiled: %v", e)
		}
		if at(e, "request", "headers", "x-vault-token").([]any)[0] != hmacToken {
			t.Errorf("the header with the token is shown")
		}
	})
	t.Run("hmac_accessor=false", func(t *testing.T) {
		e, text := lineOf(t, "response", nil, "hmac_accessor", "false")
		if at(e, "auth", "accessor") != "the-accessor" || at(e, "response", "wrap_info", "wrapped_accessor") != "new-accessor" || strings.Contains(text, "hvs.") {
			t.Errorf("got %v", e)
		}
	})
	t.Run("elide_list_responses", func(t *testing.T) {
		for _, raw := range []string{"false", "true"} {
			d := fileAt("f/", "discard", "elide_list_responses", "true", "log_raw", raw)
			o, err := (&Config{}).parse(&d)
			if err != nil {
				t.Fatal(err)
			}
			r := sample("response")
			r.Request.Operation = "list"
			r.Response.Data["key_info"] = map[string]any{"k1": map[string]any{"secret": "s"}}
			b, err := o.line(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			if e := entries(t, b)[0]; at(e, "response", "data", "keys") != 2.0 || at(e, "response", "data", "key_info") != 1.0 {
				t.Errorf("raw %s: %v", raw, at(e, "response", "data"))
			}
			if _, ok := r.Response.Data["keys"].([]any); !ok {
				t.Error("the answer itself was changed")
			}
			r.Request.Operation = "read"
			if b, _ = o.line(r, nil); !bytes.Contains(b, []byte(`"keys":[`)) {
				t.Errorf("a read is elided: %s", b)
			}
		}
	})
	t.Run("prefix", func(t *testing.T) {
		if _, text := lineOf(t, "request", nil, "prefix", "@cee: "); !strings.HasPrefix(text, "@cee: {") {
			t.Errorf("got %q", text)
		}
	})
	t.Run("a header's HMAC", func(t *testing.T) {
		e, _ := lineOf(t, "request", []table.Header{{Name: "x-trace", HMAC: true}, {Name: "absent"}})
		hs := at(e, "request", "headers").(map[string]any)
		if len(hs) != 1 || hs["x-trace"].([]any)[0] != Hash(table.Salt{1, 2, 3}, "one") {
			t.Errorf("headers %v", hs)
		}
	})
}

// TestRecordIsShared: all devices look at one record at the same time.
func TestRecordIsShared(t *testing.T) {
	r := sample("response")
	before, _ := json.Marshal(r)
	d := fileAt("f/", "discard")
	o, err := (&Config{}).parse(&d)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.line(r, []table.Header{{Name: "x-trace", HMAC: true}}); err != nil {
		t.Fatal(err)
	}
	if after, _ := json.Marshal(r); !bytes.Equal(before, after) {
		t.Errorf("formatting has changed the record:\n%s\n%s", before, after)
	}
}

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		kind    string
		options string
		want    string // "": accepted
	}{
		{"file", "file_path=discard", ""},
		{"file", "path=discard mode=0640 format=json write_timeout=5", ""},
		{"file", "", `"file_path" is required`},
		{"file", "file_path=discard mode=8", "no mode of a file"},
		{"file", "file_path=discard mode=0755", "cannot be executable"},
		{"file", "file_path=discard format=jsonx", `"jsonx" is not supported`},
		{"file", "file_path=discard format=xml", "unknown format type"},
		{"file", "file_path=discard fallback=true", "fallback devices are not supported"},
		{"file", "file_path=discard fallback=false", ""},
		{"file", "file_path=discard filter=operation==read", `"filter" is not supported`},
		{"file", "file_path=discard exclude=[]", `"exclude" is not supported`},
		{"file", "file_path=discard log_raw=maybe", "neither true nor false"},
		{"file", "file_path=discard write_timeout=0", "no time above zero"},
		{"file", "file_path=discard write_timeout=1h", "no time above zero"},
		{"file", "file_path=discard fil_path=x", `unknown options ["fil_path"]`},
		{"syslog", "", ""},
		{"syslog", "facility=local3 tag=x", ""},
		{"syslog", "facility=NOBODY", "is unknown"},
		{"syslog", "tag=a:b", "one word"},
		{"socket", "address=127.0.0.1:1", ""},
		{"socket", "address=/x socket_type=unix write_timeout=250ms", ""},
		{"socket", "", `"address" is required`},
		{"socket", "address=x socket_type=ipx", "tcp, udp and unix are allowed"},
		{"tape", "", `unknown backend type: "tape"`},
	} {
		t.Run(c.kind+" "+c.options, func(t *testing.T) {
			d := table.Device{Path: "x/", Type: c.kind, Options: map[string]string{}}
			for _, kv := range strings.Fields(c.options) {
				k, v, _ := strings.Cut(kv, "=")
				d.Options[k] = v
			}
			_, err := (&Config{}).parse(&d)
			switch {
			case c.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasSuffix(err.Error(), "invalid configuration")):
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
