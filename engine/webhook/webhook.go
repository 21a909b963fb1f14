// Package webhook is a lease engine for services that keep something for a token: whoever registers a URL gets a lease,
// and when that or its token dies, Grove calls the URL.
//
// Contract: a call is made at least once after the death, signed, and again until it is answered with 2xx (or given up,
// see engine/revoker); calls about leases of one resource are made one after the other, in the order of the deaths.
// The lease's ID is the same in every repetition.
//
// Invariants: nothing is called that the mount's configuration does not allow, decided again for every call, where
// the connection goes to included; redirects are not followed; the secret leaves neither storage nor memory but as HMAC.
package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/tokengrove/grove/engine"
)

// New returns the engine.
func New() engine.Secrets { return &hooks{now: time.Now, clients: map[clientKey]*http.Client{}} }

// hooks serves all mounts.
type hooks struct {
	now     func() time.Time
	mu      sync.Mutex
	clients map[clientKey]*http.Client
}

var leaseFields = engine.Fields{
	"url": engine.Text, "ttl": engine.Seconds, "max_ttl": engine.Seconds, "method": engine.Text, "resource": engine.Text, "data": engine.Object,
}

// Paths implements engine.Secrets.
func (h *hooks) Paths() []engine.Path {
	return []engine.Path{
		{Pattern: "config", Fields: configFields, Exists: configured, Ops: map[engine.Operation]engine.Handler{
			engine.Read: readConfig, engine.Write: writeConfig, engine.Delete: deleteConfig,
		}},
		{Pattern: "leases", Fields: leaseFields, Ops: map[engine.Operation]engine.Handler{engine.Write: h.register}},
	}
}

// hook is what is kept, sealed, of a registered URL.
type hook struct {
	URL      string          `json:"url"`
	Method   string          `json:"method"`
	Resource string          `json:"resource,omitempty"`
	Data     json.RawMessage `json:"data,omitempty"` // an object
	TTL      time.Duration   `json:"ttl,omitempty"`
	MaxTTL   time.Duration   `json:"max_ttl,omitempty"`
}

// maxResource bounds the name of a resource in bytes.
const maxResource = 1024

// register makes the lease of a URL. There is nothing to be made outside: the service has it already.
func (h *hooks) register(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	c, err := loadConfig(rq)
	if err != nil {
		return nil, err
	}
	k := hook{URL: rq.Text("url"), Method: strings.ToUpper(rq.Text("method")), Resource: rq.Text("resource"), TTL: rq.Seconds("ttl"), MaxTTL: rq.Seconds("max_ttl")}
	if k.Method == "" {
		k.Method = http.MethodPost
	}
	switch k.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		return nil, engine.Invalid("method %q is not possible: POST (the default), PUT, PATCH and DELETE are allowed", k.Method)
	}
	if len(k.Resource) > maxResource || strings.ContainsRune(k.Resource, 0) {
		return nil, engine.Invalid("a resource has at most %d bytes, and none of them is zero", maxResource)
	}
	if _, err := c.allowed(k.URL); err != nil {
		return nil, err
	}
	if data, ok := rq.Values["data"].(map[string]any); ok {
		if k.Data, err = json.Marshal(data); err != nil {
			return nil, fmt.Errorf("encoding the data of a webhook: %w", err)
		}
	}
	return &engine.Response{
		Data:   map[string]any{"url": k.URL, "method": k.Method, "resource": k.Resource},
		Secret: &engine.Secret{TTL: k.TTL, MaxTTL: k.MaxTTL, Internal: &k, Resource: k.Resource},
	}, nil
}

// Renew implements engine.Secrets: the service sees nothing of it.
func (h *hooks) Renew(_ context.Context, _ *engine.Request, l *engine.Lease) (*engine.Renewal, error) {
	var k hook
	if err := l.Load(&k); err != nil {
		return nil, err
	}
	return &engine.Renewal{TTL: k.TTL, MaxTTL: k.MaxTTL}, nil
}

// Revoke implements engine.Secrets: it calls the URL.
func (h *hooks) Revoke(ctx context.Context, rq *engine.Request, l *engine.Lease) error {
	c, err := loadConfig(rq)
	if err != nil {
		return err
	}
	var k hook
	if err := l.Load(&k); err != nil {
		return err
	}
	target, err := c.allowed(k.URL)
	if err != nil {
		return err
	}
	return h.deliver(ctx, rq, c, &k, l, target)
}
