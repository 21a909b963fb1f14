package load

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/tokengrove/grove/test/chaos/history"
	"github.com/tokengrove/grove/test/chaos/target"
)

// patience is how long a client waits for one answer. A node gives up before.
const patience = 35 * time.Second

// wire sends requests to nodes.
type wire struct {
	nodes   []target.Node
	clients []*http.Client
}

func newWire(nodes []target.Node) *wire {
	w := &wire{nodes: nodes}
	for _, n := range nodes {
		t := n.Transport
		if t == nil {
			t = &http.Transport{
				DialContext:         (&net.Dialer{Timeout: 3 * time.Second}).DialContext,
				MaxIdleConnsPerHost: 64,
			}
		}
		w.clients = append(w.clients, &http.Client{Transport: t, Timeout: patience})
	}
	return w
}

func (w *wire) close() {
	for _, c := range w.clients {
		c.CloseIdleConnections()
	}
}

// ask is one request.
type ask struct {
	method, path string
	token        string
	key          string // Idempotency-Key
	body         map[string]any
}

// reply is what came back.
type reply struct {
	outcome history.Outcome
	answer  history.Answer
	body    body
}

// body is what the run reads of an answer.
type body struct {
	Auth *struct {
		ClientToken   string `json:"client_token"`
		Accessor      string `json:"accessor"`
		LeaseDuration int64  `json:"lease_duration"`
	} `json:"auth"`
	Data struct {
		NumUses  int32             `json:"num_uses"`
		TTL      int64             `json:"ttl"`
		Accessor string            `json:"accessor"`
		Meta     map[string]string `json:"meta"`
		Orphan   bool              `json:"orphan"`
		Path     string            `json:"path"`
		Keys     []string          `json:"keys"`
	} `json:"data"`
	Errors []string `json:"errors"`
}

// send sends a to a node, once.
func (w *wire) send(ctx context.Context, node int, a ask) reply {
	text, err := json.Marshal(a.body)
	if err != nil {
		return failed(history.Not, 0, err.Error())
	}
	// A body that cannot be rewound keeps net/http from sending a request again by itself when a
	// connection breaks: a use would be charged that nobody asked for.
	rd := struct{ io.Reader }{bytes.NewReader(text)}
	req, err := http.NewRequestWithContext(ctx, a.method, w.nodes[node].URL+"/v1/"+a.path, rd)
	if err != nil {
		return failed(history.Not, 0, err.Error())
	}
	req.ContentLength = int64(len(text))
	req.Header.Set("X-Vault-Token", a.token)
	req.Header.Set("X-Vault-Request", "true")
	if a.key != "" {
		req.Header.Set("Idempotency-Key", a.key)
	}
	resp, err := w.clients[node].Do(req)
	if err != nil {
		if unsent(err) {
			return failed(history.Not, 0, err.Error())
		}
		return failed(history.Unknown, 0, err.Error())
	}
	defer resp.Body.Close()
	text, err = io.ReadAll(resp.Body)
	if err != nil {
		return failed(history.Unknown, 0, "reading the answer: "+err.Error())
	}
	return judge(resp.StatusCode, text)
}

func failed(o history.Outcome, status int32, text string) reply {
	return reply{outcome: o, answer: history.Answer{Status: status, Error: text}}
}

// unsent reports whether a request certainly never left.
func unsent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// judge turns an answer into an outcome.
func judge(status int, text []byte) reply {
	r := reply{answer: history.Answer{Status: int32(status)}}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &r.body); err != nil {
			return failed(history.Unknown, int32(status), "an answer that is no JSON: "+err.Error())
		}
	}
	r.answer.Error = strings.Join(r.body.Errors, "; ")
	switch {
	case status < 300:
		r.outcome = history.Applied
	case status < 500:
		r.outcome = history.Refused
	case status == http.StatusServiceUnavailable:
		r.outcome = history.Not
	default:
		r.outcome = history.Unknown
	}
	r.answer.Left = r.body.Data.NumUses
	r.answer.TTL = time.Duration(r.body.Data.TTL) * time.Second
	if a := r.body.Auth; a != nil {
		r.answer.Accessor, r.answer.TTL = a.Accessor, time.Duration(a.LeaseDuration)*time.Second
	}
	return r
}
