package webhook

import (
	"net"
	"net/netip"
	"net/url"
	"path"
	"strings"
	"syscall"

	"github.com/tokengrove/grove/engine"
)

// target is a URL that may be called.
type target struct {
	url *url.URL
	// public: the configuration does not name it, so that it may be called at a public address only.
	public bool
}

// parseURL takes an http or https URL that means the same to everybody who reads it.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "" || (u.Scheme != "http" && u.Scheme != "https"):
		return nil, engine.Invalid("%q is no URL to call: http or https, a host and a path are wanted", text)
	case u.User != nil:
		return nil, engine.Invalid("a URL must not have a user or password in it")
	case u.Fragment != "" || strings.ContainsAny(u.Path, "\\\x00") || (u.Path != "" && strings.TrimSuffix(path.Clean(u.Path), "/") != strings.TrimSuffix(u.Path, "/")):
		return nil, engine.Invalid("%q: a URL to call has no fragment, and a path without empty segments, \".\" and \"..\"", text)
	}
	return u, nil
}

// hostOf is the host of a URL as it is compared: in lower case, without the scheme's usual port.
func hostOf(u *url.URL) string {
	usual := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	return joinHost(u.Hostname(), u.Port(), usual)
}

func joinHost(name, port, usual string) string {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if port == "" || port == usual {
		return name
	}
	return net.JoinHostPort(name, port)
}

// allowed decides about a URL.
func (c *config) allowed(text string) (target, error) {
	u, err := parseURL(text)
	if err != nil {
		return target{}, err
	}
	for _, a := range c.AllowedURLs {
		if p, err := parseURL(a); err == nil && p.Scheme == u.Scheme && hostOf(p) == hostOf(u) && below(u.Path, p.Path) {
			return target{url: u}, nil
		}
	}
	if u.Scheme == "https" {
		for _, h := range c.AllowedHosts {
			name, port, err := net.SplitHostPort(h)
			if err != nil {
				name, port = strings.Trim(h, "[]"), ""
			}
			if joinHost(name, port, "443") == hostOf(u) {
				return target{url: u}, nil
			}
		}
		if len(c.AllowedURLs) == 0 && len(c.AllowedHosts) == 0 {
			return target{url: u, public: true}, nil
		}
	}
	return target{}, engine.Invalid("%q may not be called: allowed are URLs at or below one of allowed_urls, https URLs of allowed_hosts, and, as long as neither is configured, https URLs of public addresses", text)
}

// below reports whether a path is prefix or below it, by whole segments.
func below(p, prefix string) bool {
	prefix = strings.TrimSuffix(prefix, "/")
	return p == prefix || strings.HasPrefix(p, prefix+"/")
}

// onlyPublic refuses connections to addresses that are not public. It is asked with the address that a name was
// resolved to, so that no name can lead elsewhere.
func onlyPublic(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return engine.Invalid("%q is no address", address)
	}
	if !isPublic(at.Addr().Unmap()) {
		return engine.Invalid("%s is not a public address: name the host in allowed_hosts or allowed_urls", at.Addr())
	}
	return nil
}

// reserved are ranges that lead elsewhere than their name says, besides those that net/netip knows.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"), netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("2001::/32"),
}

func isPublic(a netip.Addr) bool {
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	for _, p := range reserved {
		if p.Contains(a) {
			return false
		}
	}
	return true
}
