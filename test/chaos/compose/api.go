package compose

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// askTimeout bounds one request of the harness.
const askTimeout = 5 * time.Second

// direct takes a new connection for each request: what a fault left of an old one must not matter.
var direct = &http.Client{Timeout: askTimeout, Transport: &http.Transport{DisableKeepAlives: true}}

// call asks a node and decodes its answer into out, unless that is nil.
func (n *node) call(ctx context.Context, method, path, token string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, n.url()+"/v1/"+path, body)
	if err != nil {
		return err
	}
	if token != "" {
		req.Header.Set("X-Vault-Token", token)
	}
	resp, err := direct.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s on %s: %s: %s", method, path, n.name, resp.Status, bytes.TrimSpace(b))
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(b, out)
}

// leads reports whether the node says that it leads.
func (n *node) leads(ctx context.Context) bool {
	ctx, cancel := withTimeout(ctx, time.Second)
	defer cancel()
	var l struct {
		IsSelf bool `json:"is_self"`
	}
	return n.call(ctx, http.MethodGet, "sys/leader", "", nil, &l) == nil && l.IsSelf
}

// voters counts the voters of the Raft configuration, as a node tells it.
func (n *node) voters(ctx context.Context, token string) (map[string]bool, error) {
	var conf struct {
		Data struct {
			Config struct {
				Servers []struct {
					NodeID string `json:"node_id"`
					Voter  bool   `json:"voter"`
				} `json:"servers"`
			} `json:"config"`
		} `json:"data"`
	}
	err := n.call(ctx, http.MethodGet, "sys/storage/raft/configuration", token, nil, &conf)
	all := map[string]bool{}
	for _, s := range conf.Data.Config.Servers {
		all[s.NodeID] = s.Voter
	}
	return all, err
}
