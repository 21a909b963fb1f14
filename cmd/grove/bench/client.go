package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"time"
)

// failure is a request that did not succeed. Its class is a status, or "timeout", "connection" or
// "answer" for one that nobody understands.
type failure struct {
	class string
	text  string
}

// Error implements error.
func (f *failure) Error() string { return f.class + ": " + f.text }

const (
	classTimeout    = "timeout"
	classConnection = "connection"
	classAnswer     = "answer"
)

// client is one of the clients of a load, for one goroutine.
type client struct {
	id      int
	at      int     // its node
	conns   []*conn // by node
	timeout time.Duration
	random  *rand.Rand // the same in every run
	made    []string   // by mixed, for its revocations
}

func newClient(id int, nodes []*node, timeout time.Duration) *client {
	c := &client{id: id, at: id % len(nodes), timeout: timeout, random: rand.New(rand.NewPCG(uint64(id), 0))}
	for _, n := range nodes {
		c.conns = append(c.conns, newConn(n))
	}
	return c
}

func (c *client) close() {
	for _, k := range c.conns {
		k.close()
	}
}

// move makes the client go to the next node.
func (c *client) move() { c.at = (c.at + 1) % len(c.conns) }

// ask sends a request to the client's node. The body is valid until the next request there; the
// error is a *failure.
func (c *client) ask(ctx context.Context, q *request) ([]byte, error) {
	return c.askAt(ctx, c.at, q)
}

func (c *client) askAt(ctx context.Context, node int, q *request) ([]byte, error) {
	status, body, err := c.conns[node].do(ctx, c.timeout, q)
	switch {
	case err != nil:
		return nil, failed(err)
	case status < 200 || status > 299:
		return nil, &failure{class: strconv.Itoa(status), text: reason(body)}
	}
	return body, nil
}

func failed(err error) *failure {
	var network net.Error
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return &failure{class: classTimeout, text: err.Error()}
	case errors.Is(err, errMalformed):
		return &failure{class: classAnswer, text: err.Error()}
	}
	return &failure{class: classConnection, text: err.Error()}
}

// classOf is the class of a failed request.
func classOf(err error) string {
	var f *failure
	if errors.As(err, &f) {
		return f.class
	}
	return classAnswer
}

// isRefusal reports whether a server has looked at the token and does not let it pass.
func isRefusal(err error) bool {
	class := classOf(err)
	return class == "403" || class == "404"
}

// Paths of the API.
const (
	pathCreate     = "/v1/auth/token/create"
	pathLookupSelf = "/v1/auth/token/lookup-self"
	pathRenewSelf  = "/v1/auth/token/renew-self"
	pathRevoke     = "/v1/auth/token/revoke"
	pathRevokeSelf = "/v1/auth/token/revoke-self"
)

// create makes a token with a prepared body. The ID is valid until the next request.
func (c *client) create(ctx context.Context, parent string, body []byte) ([]byte, error) {
	got, err := c.ask(ctx, &request{method: "POST", path: pathCreate, token: parent, body: body})
	if err != nil {
		return nil, err
	}
	id, ok := textOf(got, []byte(`"client_token"`))
	if !ok {
		return nil, &failure{class: classAnswer, text: "no client_token in the answer"}
	}
	return id, nil
}

func (c *client) lookupSelf(ctx context.Context, id string) error {
	_, err := c.ask(ctx, &request{method: "GET", path: pathLookupSelf, token: id})
	return err
}

func (c *client) renewSelf(ctx context.Context, id string) error {
	_, err := c.ask(ctx, &request{method: "POST", path: pathRenewSelf, token: id, body: emptyBody})
	return err
}

func (c *client) revokeSelf(ctx context.Context, id string) error {
	_, err := c.ask(ctx, &request{method: "POST", path: pathRevokeSelf, token: id})
	return err
}

// revoke revokes a token and its tree with the right of another.
func (c *client) revoke(ctx context.Context, by, id string) error {
	_, err := c.ask(ctx, &request{method: "POST", path: pathRevoke, token: by, body: revokeBody(id)})
	return err
}

var emptyBody = []byte("{}")

// revokeBody: an ID is plain text, see plainText.
func revokeBody(id string) []byte { return []byte(`{"token":"` + id + `"}`) }

// tokenBody is the prepared body of a create: of the default policy, of unlimited uses if uses is 0.
func tokenBody(ttl time.Duration, uses int) []byte {
	b := fmt.Sprintf(`{"policies":["default"],"ttl":"%ds","meta":{"svc":"bench"}`, int64(ttl/time.Second))
	if uses > 0 {
		b += fmt.Sprintf(`,"num_uses":%d`, uses)
	}
	return []byte(b + "}")
}

// heirBody is the body of a token with the policies of its parent.
func heirBody(ttl time.Duration) []byte {
	return fmt.Appendf(nil, `{"ttl":"%ds","display_name":"bench"}`, int64(ttl/time.Second))
}
