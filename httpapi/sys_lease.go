package httpapi

import (
	"strings"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/token"
)

var (
	leaseField        = schema{"lease_id": text}
	renewLeaseFields  = schema{"lease_id": text, "url_lease_id": text, "increment": seconds}
	revokeLeaseFields = schema{"lease_id": text, "url_lease_id": text, "sync": boolean}
	syncField         = schema{"sync": boolean}
)

// leaseID takes the lease from the body or from the path.
func (rq *request) leaseID() (string, error) {
	id := either(rq.text("lease_id"), rq.text("url_lease_id"))
	if id == "" {
		return "", invalid("lease_id must be specified")
	}
	return id, nil
}

// leased finds the token whose lease is id.
func (rq *request) leased(id string) (token.Record, bool) {
	path, h, ok := fsm.ParseLeaseID(id)
	if !ok {
		return token.Record{}, false
	}
	rec, ok := rq.find(fsm.Target{Token: h})
	return rec, ok && rec.Path == path && rec.Deadline != 0
}

func lookupLease(rq *request) (*response, error) {
	id, err := rq.leaseID()
	if err != nil {
		return nil, err
	}
	rec, ok := rq.leased(id)
	if !ok {
		return nil, invalid("invalid lease")
	}
	data := map[string]any{
		"id": id, "issue_time": rec.Created.Time(), "expire_time": rec.Deadline.Time(), "last_renewal": nil,
		"renewable": rec.Renewable, "ttl": until(rec.Deadline, rq.now),
	}
	if rec.Renewed != 0 {
		data["last_renewal"] = rec.Renewed.Time()
	}
	return &response{data: data, mount: "system"}, nil
}

func listLeases(rq *request) (*response, error) {
	prefix := rq.text("prefix")
	if prefix != "" && !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	var names []string
	rq.api.store.View(func(m *fsm.Machine) { names = m.Leases(prefix, rq.now) })
	return keys(names, "system")
}

// renewLease refuses, as the reference does for the leases of tokens: whoever may renew
// leases could otherwise keep any token alive. There are no other leases yet.
func renewLease(rq *request) (*response, error) {
	id, err := rq.leaseID()
	if err != nil {
		return nil, err
	}
	rec, ok := rq.leased(id)
	switch {
	case !ok:
		return nil, invalid("lease not found")
	case !rec.Renewable:
		return nil, invalid("lease is not renewable")
	}
	return nil, invalid("tokens cannot be renewed through this endpoint")
}

// revokeLease revokes the token of a lease, whole tree and all. An unknown lease is no error,
// but that a replica does not know it is only believed when it is fresh.
func revokeLease(rq *request) (*response, error) {
	id, err := rq.leaseID()
	if err != nil {
		return nil, err
	}
	rec, ok := rq.leased(id)
	switch {
	case ok:
		_, err = rq.propose(&fsm.RevokeToken{Caller: rq.asker(), Target: fsm.Target{Token: rec.Hash}})
		return nil, err
	case !rq.fresh:
		return nil, errStale
	}
	return nil, nil
}

// revokePrefix is break glass: every token that was issued at the prefix or below it, at once.
// It is always synchronous; force has nothing to add, because a death never waits for a side effect.
// In the reference the first root token has no lease and survives; here a prefix that names it
// is refused, because nothing could make another.
func revokePrefix(rq *request) (*response, error) {
	prefix := strings.TrimRight(rq.text("prefix"), "/")
	if strings.HasPrefix(rootPath+"/", prefix+"/") {
		return nil, invalid("prefix %q names the first root token, too: name what is to be revoked, such as auth/token/create", prefix)
	}
	_, err := rq.propose(&fsm.RevokePrefix{Caller: rq.asker(), Prefix: prefix})
	return nil, err
}
