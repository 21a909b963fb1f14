package api

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"log/slog"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
)

// provider is an OpenID provider that was written by others, over HTTPS.
type provider struct{ url, ca string }

// newProvider starts one with a user and a client, who may come back to some URIs.
func newProvider(t *testing.T, client, secret string, redirects ...string) *provider {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // a browser that breaks off
	at := "https://" + s.Listener.Addr().String()
	storage.RegisterClients(storage.WebClient(client, secret, redirects...))
	s.Config.Handler = exampleop.SetupServer(at, storage.NewStorage(storage.NewUserStore(at)), slog.New(slog.DiscardHandler), false)
	s.StartTLS()
	t.Cleanup(s.Close)
	return &provider{at, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))}
}

// newBrowser starts a headless Chromium, which lives as long as the test, and half a minute at most.
func newBrowser(t *testing.T) context.Context {
	t.Helper()
	bin := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			bin = path
			break
		}
	}
	if bin == "" {
		t.Skip("NO CHROMIUM: OIDC LOGIN IN A BROWSER IS NOT TESTED (install the package chromium)")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second) // which outlives the test's: a browser is closed in peace
	t.Cleanup(cancel)
	quiet := func(string, ...any) {}
	ctx, end := chromedp.NewContext(ctx, chromedp.WithLogf(quiet), chromedp.WithErrorf(quiet), chromedp.WithAllocatorOptions(
		chromedp.ExecPath(bin), chromedp.NoSandbox, chromedp.IgnoreCertErrors, chromedp.Flag("disable-dev-shm-usage", true)))
	t.Cleanup(end)
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("starting %s: %v", bin, err)
	}
	return ctx
}

// logIn fills the provider's form, and returns what the browser shows in the end, at a URL that starts with one.
func logIn(t *testing.T, browser context.Context, at, end string) string {
	t.Helper()
	const name, password = chromedp.CSS("#username"), chromedp.CSS("#password")
	err := chromedp.Do(browser, chromedp.Navigate(at), chromedp.WaitVisible(name), chromedp.SendKeys(name, "test-user2"), chromedp.SendKeys(password, "verysecure"), chromedp.Submit(password))
	if err != nil {
		t.Fatalf("logging in at the provider, at %.300s: %v", at, err)
	}
	for {
		var shown string
		where, err := chromedp.Run(browser, chromedp.Evaluate[string](`location.href`))
		if err == nil && strings.HasPrefix(where, end) {
			shown, err = chromedp.Run(browser, chromedp.Evaluate[string](`document.readyState === "complete" ? document.body.innerText : ""`))
		}
		switch { // an error: a navigation is under way
		case err == nil && shown != "":
			return shown
		case browser.Err() != nil:
			t.Fatalf("the browser is at %.300s, not at %s", where, end)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// TestOIDCLoginInBrowser: a user logs in at a real provider, in a real browser. One node begins, another one finishes, a third takes
// the token; and nothing of it works twice. The second time the provider has the browser post to the callback.
func TestOIDCLoginInBrowser(t *testing.T) {
	u := root(t)
	loopbackOnly(t)
	browser := newBrowser(t)
	at := u.mount("oidc")
	callback := nodes[len(nodes)-1] + "/v1/auth/" + at + "/oidc/callback"
	p := newProvider(t, at, "the-client-secret", callback)
	u.post("auth/"+at+"/role/web", obj{
		"user_claim": "email", "allowed_redirect_uris": callback, "oidc_scopes": "email,profile", "token_policies": "default", "token_ttl": "10m",
		"bound_claims": obj{"name": "Test User2"}, "claim_mappings": obj{"preferred_username": "name"},
	}).want(204)
	var token string
	for _, mode := range []string{"query", "form_post"} {
		u.post("auth/"+at+"/config", obj{
			"oidc_discovery_url": p.url, "oidc_discovery_ca_pem": p.ca, "oidc_client_id": at, "oidc_client_secret": "the-client-secret", "default_role": "web", "oidc_response_mode": mode,
		}).want(204)
		begin := u.as("").post("auth/"+at+"/oidc/auth_url", obj{"redirect_uri": callback}).want(200).str("data.auth_url")
		token = u.tokenShown(logIn(t, browser, begin, callback+"?"))
		for range nodes {
			u.as(token).get("auth/token/lookup-self").want(200).is("data.display_name", at+"-test-user2@zitadel.ch").is("data.path", "auth/"+at+"/oidc/callback")
			u.as(token).post("auth/token/renew-self", nil).want(200)
		}
		end, err := chromedp.Run(browser, chromedp.Evaluate[string](`location.search`))
		if err != nil {
			t.Fatal(err)
		}
		for range nodes {
			u.as("").get("auth/"+at+"/oidc/callback"+end).refused(400, "Expired or missing OAuth state")
		}
	}
	page := u.as("").post("auth/"+at+"/oidc/callback", obj{"state": "<script>", "code": "x"}).want(400)
	if h := page.header; h.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") || strings.Contains(string(page.raw), "<script") {
		t.Errorf("a browser that posts nonsense gets %v\n%s", h, page.raw)
	}
	if r := u.get("auth/" + at + "/config").want(200); strings.Contains(string(r.raw), "the-client-secret") {
		t.Error("the client secret is shown")
	}
	u.as("").post("auth/"+at+"/oidc/auth_url", obj{"redirect_uri": "https://elsewhere.example/"}).want(200).is("data.auth_url", "")
	u.remove("sys/auth/" + at).want(204)
	u.as(token).get("auth/token/lookup-self").want(403)
}

// tokenShown is the token in the answer that a browser shows.
func (u user) tokenShown(text string) string {
	u.Helper()
	var answer struct {
		Auth struct {
			Token    string            `json:"client_token"`
			Metadata map[string]string `json:"metadata"`
		} `json:"auth"`
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil || answer.Auth.Token == "" {
		u.Fatalf("the callback shows %.500s (%v)", text, err)
	}
	if m := answer.Auth.Metadata; m["role"] != "web" || m["name"] != "test-user2" {
		u.Errorf("metadata %v", m)
	}
	return answer.Auth.Token
}
