package bench

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// NullHandler answers the requests of all comparable workloads with bodies of the usual size and does
// no work behind them: what net/http and encoding/json reach on a machine is the ceiling for
// a server made of them.
func NullHandler() http.Handler {
	mux := http.NewServeMux()
	issued := envelope("auth", map[string]any{
		"client_token": nullToken, "accessor": nullAccessor, "policies": []string{"default"}, "token_policies": []string{"default"},
		"metadata": map[string]string{"svc": "bench"}, "lease_duration": 3600, "renewable": true, "entity_id": "",
		"token_type": "service", "orphan": false, "mfa_requirement": nil, "num_uses": 0,
	})
	found := envelope("data", map[string]any{
		"id": nullToken, "accessor": nullAccessor, "policies": []string{"default"}, "meta": map[string]string{"svc": "bench"},
		"creation_time": 1700000000, "creation_ttl": 3600, "ttl": 3599, "explicit_max_ttl": 0, "display_name": "token",
		"entity_id": "", "expire_time": "2030-01-01T01:00:00Z", "issue_time": "2030-01-01T00:00:00Z", "num_uses": 0,
		"orphan": false, "path": "auth/token/create", "renewable": true, "type": "service",
	})
	mux.HandleFunc("POST "+pathCreate, nullAnswer(issued))
	mux.HandleFunc("POST "+pathRenewSelf, nullAnswer(issued))
	mux.HandleFunc("GET "+pathLookupSelf, nullAnswer(found))
	mux.HandleFunc("POST "+pathRevoke, nullAnswer(nil))
	mux.HandleFunc("POST "+pathRevokeSelf, nullAnswer(nil))
	return mux
}

const (
	nullToken    = "hvs.AAAAAQAAAAEAAAABAAAAAQAAAAE"
	nullAccessor = "AAAAAQAAAAEAAAABAAAAAQAA"
)

// envelope is what every answer of the token API is wrapped in.
func envelope(part string, content any) map[string]any {
	e := map[string]any{
		"request_id": "00000000-0000-0000-0000-000000000000", "lease_id": "", "renewable": false, "lease_duration": 0,
		"wrap_info": nil, "warnings": nil, "auth": nil, "data": nil, "mount_type": "token",
	}
	e[part] = content
	return e
}

// nullAnswer decodes the request and encodes the answer each time, as a server has to; nil: 204.
func nullAnswer(content any) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxAnswer))
		var in map[string]any
		if err != nil || len(body) > 0 && json.Unmarshal(body, &in) != nil {
			http.Error(w, `{"errors":["bad request"]}`, http.StatusBadRequest)
			return
		}
		if content == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(content) // fails only if the client has gone
	}
}

// ServeNull serves the null handler on a TCP address until ctx is done, over TLS if t is not nil.
// ready gets the server's URL.
func ServeNull(ctx context.Context, address string, t *tls.Config, ready func(url string) error) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("null server: %w", err)
	}
	url := "http://" + l.Addr().String()
	if t != nil {
		url = "https://" + l.Addr().String()
		l = tls.NewListener(l, t)
	}
	s := &http.Server{Handler: NullHandler(), ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { s.Close() })() // Serve says so
	if err := ready(url); err != nil {
		return errors.Join(err, l.Close())
	}
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
