package jwt

import (
	"context"

	"github.com/tokengrove/grove/engine"
)

// noCode stands for "what was posted before", in place of a code.
const noCode = "no_code"

// callback finishes a login by browser: with the code that the provider has given to it, or with an ID token that it has posted.
func (m *method) callback(ctx context.Context, rq *engine.Request) (*engine.Response, error) {
	f, err := m.resume(ctx, rq)
	if err != nil {
		return nil, err
	}
	switch {
	case !f.attempt.fits(rq.Text("client_nonce")):
		return nil, engine.Invalid("invalid client_nonce")
	case !engine.Admits(f.role.BoundCIDRs, rq.Client.Address):
		return nil, engine.ErrForbidden
	}
	var c claims
	switch code := rq.Text("code"); {
	case code != "" && code != noCode:
		c, err = m.exchange(ctx, f, code)
	case rq.Text("error") != "":
		err = engine.Invalid("%s", short(loginFailed+" The provider answers: "+rq.Text("error")+" "+rq.Text("error_description")))
	default:
		c, err = f.posted(ctx)
	}
	if err != nil {
		return nil, err
	}
	if bound := f.role.Bounds.Subject; bound != "" && bound != c.text("sub") {
		return nil, engine.Invalid("sub claim does not match bound subject")
	}
	rs, err := f.role.admit(f.attempt.Role, c)
	if err != nil {
		return nil, err
	}
	f.attempt.finish(rq.Storage)
	tidy(rq)
	return rs, nil
}

// callbackPost takes what a provider has a browser post (response_mode=form_post), and answers it with a page that goes on with
// callback. An ID token is kept until then, if it is a good one; a code goes on with the page.
func (m *method) callbackPost(ctx context.Context, rq *engine.Request) (*engine.Response, error) {
	c, err := loadConfig(rq)
	switch {
	case err != nil:
		return nil, err
	case c == nil:
		return nil, engine.Invalid(loginFailed + " Could not load configuration.")
	case c.Client.Mode != modeFormPost:
		return &engine.Response{Status: 405}, nil
	}
	f, err := m.resume(ctx, rq)
	if err != nil {
		return errorPage(err)
	}
	code := rq.Text("code")
	switch text := rq.Text("id_token"); {
	case code != "":
	case rq.Text("error") != "":
		return errorPage(engine.Invalid("%s", short(loginFailed+" The provider answers: "+rq.Text("error")+" "+rq.Text("error_description"))))
	case text == "":
		return errorPage(errNothing)
	default:
		if _, err := f.verify(ctx, text); err != nil {
			return errorPage(err)
		}
		sealed, err := rq.Seal(postedPlace, []byte(text))
		if err != nil {
			return nil, err
		}
		rq.Storage.Put(f.attempt.key(postedPrefix), sealed)
		tidy(rq)
		code = noCode
	}
	return continuePage(rq, code)
}

var errNothing = engine.Invalid(loginFailed + " No code or id_token received.")

// flow is a login by browser that comes back.
type flow struct {
	rq      *engine.Request
	config  *config
	role    *role
	attempt *attempt
	source  *source
	at      *provider
}

// resume finds out which attempt a request is about.
func (m *method) resume(ctx context.Context, rq *engine.Request) (*flow, error) {
	c, err := loadConfig(rq)
	switch {
	case err != nil:
		return nil, err
	case c == nil:
		return nil, engine.Invalid(loginFailed + " Could not load configuration.")
	case !c.browser():
		return nil, engine.Invalid("OIDC login is not configured for this mount")
	}
	f := &flow{rq: rq, config: c}
	if f.attempt, err = openAttempt(rq); err != nil {
		return nil, err
	}
	if f.role, err = loadRole(rq, f.attempt.Role); err != nil {
		return nil, err
	}
	if f.role == nil || f.role.Type != typeOIDC {
		return nil, engine.Invalid(loginFailed + " Role could not be found")
	}
	if f.source, err = m.source(c); err != nil {
		return nil, err
	}
	f.at, err = f.source.discovered(ctx)
	return f, err
}

// posted returns the claims of the ID token that was posted before.
func (f *flow) posted(ctx context.Context) (claims, error) {
	sealed, ok := f.rq.Storage.Find(f.attempt.key(postedPrefix))
	if !ok {
		return nil, errNothing
	}
	text, err := f.rq.Open(postedPlace, sealed)
	if err != nil {
		return nil, err
	}
	t, err := f.verify(ctx, string(text))
	if err != nil {
		return nil, err
	}
	return t.claims, nil
}
