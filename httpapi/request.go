package httpapi

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/token"
	"github.com/tokengrove/grove/httpapi/acl"
)

// request is one request on its way through the adapter and a handler.
type request struct {
	ctx  context.Context
	api  *api
	http *http.Request
	op   acl.Operation
	path string            // without /v1/
	vars map[string]string // of the route's pattern
	raw  map[string]any
	values
	id token.ID // what the client sent
	evaluation
	outcome
}

// evaluation is what authorize found out, at one moment of the local replica.
type evaluation struct {
	identity fsm.Identity
	caller   token.Record
	epoch    uint64
	now      token.Instant
	decision acl.Decision
}

// outcome is what a request has done so far, and what its answer has to say besides data.
type outcome struct {
	charged  bool
	index    uint64 // of the last command
	warnings []string
}

// operationOf maps verb and query to an operation.
func operationOf(r *http.Request) (acl.Operation, error) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		list := r.URL.Query().Get("list")
		if list == "" {
			return acl.Read, nil
		}
		on, err := strconv.ParseBool(list)
		if err != nil {
			return 0, fail(http.StatusBadRequest)
		}
		if on {
			return acl.List, nil
		}
		return acl.Read, nil
	case "LIST":
		return acl.List, nil
	case http.MethodPost, http.MethodPut:
		return acl.Update, nil
	case http.MethodDelete:
		return acl.Delete, nil
	case http.MethodPatch:
		const merge = "application/merge-patch+json"
		if ct := r.Header.Get("Content-Type"); ct != merge {
			return 0, fail(http.StatusUnsupportedMediaType, fmt.Sprintf("PATCH requires Content-Type of %s, provided %s", merge, ct))
		}
		return acl.Patch, nil
	}
	return 0, fail(http.StatusMethodNotAllowed)
}

// tokenOf returns the token that r carries, "" if none.
func tokenOf(r *http.Request) token.ID {
	if t := r.Header.Get("X-Vault-Token"); t != "" {
		return token.ID(t)
	}
	if t, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return token.ID(strings.TrimSpace(t))
	}
	return ""
}

// mount is the top-level mount_type of answers below the request's path.
func (rq *request) mount() string {
	if strings.HasPrefix(rq.path, "sys/") {
		return "system"
	}
	return "token"
}

// asker is the caller as a command carries it.
func (rq *request) asker() fsm.Caller {
	return fsm.Caller{Token: rq.caller.Hash, Epoch: rq.epoch}
}

// propose replicates c, which was made with asker. errStale makes the adapter start over;
// any other error is the answer. A refusal by apply is an error too.
func (rq *request) propose(c fsm.Command) (fsm.Result, error) {
	r, err := rq.api.store.Propose(rq.ctx, c)
	if err != nil {
		return r, err
	}
	if r.Stale {
		return r, errStale
	}
	rq.index = r.Index
	if r.Caller != nil {
		rq.charged = true
	}
	return r, r.Err()
}

// hash is the stored form of an ID.
func (rq *request) hash(id token.ID) token.Hash { return rq.identity.Salt.Hash(id) }

// warn adds a warning to the answer.
func (rq *request) warn(format string, args ...any) {
	rq.warnings = append(rq.warnings, fmt.Sprintf(format, args...))
}

// mayCallFrom reports whether the caller's bound CIDRs admit the client's address.
func (rq *request) mayCallFrom() bool {
	if len(rq.caller.BoundCIDRs) == 0 {
		return true
	}
	host, _, err := net.SplitHostPort(rq.http.RemoteAddr)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	for _, c := range rq.caller.BoundCIDRs {
		if p, err := parseCIDR(c); err == nil && p.Contains(addr.Unmap()) {
			return true
		}
	}
	return false
}

// parseCIDR reads a prefix or a single address.
func parseCIDR(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return netip.Prefix{}, err
		}
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	return netip.ParsePrefix(s)
}

// requestID makes a random UUID (RFC 9562, version 4).
func (a *api) requestID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// local is the wall clock as the machine counts.
func (a *api) local() token.Instant { return token.InstantOf(a.now()) }

// until is the time from now to a deadline in whole seconds, as lookups show it.
func until(deadline, now token.Instant) int64 {
	if deadline == 0 {
		return 0
	}
	return wholeSeconds(deadline.Time().Sub(now.Time().Round(time.Second)))
}
