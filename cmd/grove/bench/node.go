package bench

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// node is one server under load.
type node struct {
	url  string
	dial string      // host:port
	host string      // of the Host header
	base string      // path before /v1/
	tls  *tls.Config // nil: plain HTTP
}

func newNode(address string, t *tls.Config) (*node, error) {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("address %q: want http://host:port or https://host:port", address)
	}
	n := &node{url: address, host: u.Host, base: strings.TrimRight(u.EscapedPath(), "/")}
	port := u.Port()
	if u.Scheme == "https" {
		n.tls = &tls.Config{MinVersion: tls.VersionTLS12}
		if t != nil {
			n.tls = t.Clone()
		}
		if n.tls.ServerName == "" {
			n.tls.ServerName = u.Hostname()
		}
		n.tls.NextProtos = []string{"http/1.1"}
	}
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	n.dial = net.JoinHostPort(u.Hostname(), port)
	return n, nil
}
