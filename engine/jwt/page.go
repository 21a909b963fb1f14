package jwt

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"io"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/fsm"
)

// pages are what a browser sees that posts to the callback. The script hands the code to the window that opened this one, as the
// reference's does, if that is a page of the same server; without one the browser goes on to the callback itself.
var pages = template.Must(template.New("").Parse(`
{{define "page"}}<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="UTF-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{{.Title}}</title>
</head>
<body>
<h1>{{.Title}}</h1>
<p>{{.Text}}</p>
{{with .Next}}<script nonce="{{$.Nonce}}">
const next = {{.}};
if (window.opener) {
  window.opener.postMessage({source: "oidc-callback", path: next.path, code: next.code, state: next.state}, window.origin);
} else {
  location.replace("?" + new URLSearchParams({state: next.state, code: next.code}));
}
</script>{{end}}
</body>
</html>
{{end}}`))

// page is the content of one.
type page struct {
	Title, Text, Nonce string
	Next               map[string]string
}

func (p *page) response(status int) (*engine.Response, error) {
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, "page", p); err != nil {
		return nil, fmt.Errorf("a page: %w", err)
	}
	policy := "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	if p.Nonce != "" {
		policy += "; script-src 'nonce-" + p.Nonce + "'"
	}
	return &engine.Response{Status: status, Raw: &engine.Raw{
		ContentType: "text/html; charset=utf-8", Body: b.Bytes(),
		Headers: map[string]string{"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"},
	}}, nil
}

// continuePage goes on with the callback.
func continuePage(rq *engine.Request, code string) (*engine.Response, error) {
	b := make([]byte, 16)
	if _, err := io.ReadFull(rq.Rand, b); err != nil {
		return nil, fmt.Errorf("random bytes: %w", err)
	}
	p := page{
		Title: "Completing the sign-in process…", Text: "This window goes on by itself.", Nonce: base64.RawURLEncoding.EncodeToString(b),
		Next: map[string]string{"path": mountName(rq), "code": code, "state": rq.Text("state")},
	}
	return p.response(200)
}

// mountName is the mount's path without "auth/" and the slash at its end.
func mountName(rq *engine.Request) string { return rq.Mount.Path[len("auth/") : len(rq.Mount.Path)-1] }

// errorPage shows a refusal to the user. Other errors stay what they are.
func errorPage(err error) (*engine.Response, error) {
	var known *fsm.Error
	if !errors.As(err, &known) || known.Code != fsm.Invalid {
		return nil, err
	}
	p := page{Title: "Login failed", Text: known.Message}
	return p.response(400)
}
