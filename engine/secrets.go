package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/tokengrove/grove/fsm/lease"
	"github.com/tokengrove/grove/fsm/token"
)

// Secrets is a lease engine: it hands out things that live outside of Grove, and takes each back
// when its lease or the token that asked for it dies. One value serves all mounts of its type, and is safe for
// concurrent use.
//
// A handler issues by answering with Response.Secret. What the answer gives out must be made in Secret.Make and
// nowhere else: Grove replicates what Revoke will need before Make runs, so that whatever Make may have made
// is taken back if this node dies at any moment.
type Secrets interface {
	// Paths is the same at every call: it is asked for once. None of them is a Login.
	Paths() []Path
	// Revoke takes back what a lease stands for. It is called on the leader, outside of any request: rq has the
	// mount's storage (read only, as it is now, also when the mount was disabled), Sealer, Rand and Now. It is called
	// until it returns nil, at least once, maybe more often, maybe twice at the same time by two nodes, and also
	// for what Make has made only in part, or not at all. So what is not there counts as taken back. ctx ends
	// the attempt. The text of an error is shown to operators, and must hold no secret.
	Revoke(ctx context.Context, rq *Request, l *Lease) error
	// Renew says by which terms a lease lives on, as role and mount are now. An error is why it does not.
	Renew(ctx context.Context, rq *Request, l *Lease) (*Renewal, error)
}

// Secret is a lease that shall be made, and with it something outside.
type Secret struct {
	// TTL and MaxTTL are what role or user want; 0 and whatever is longer: the mount's.
	TTL, MaxTTL time.Duration
	// NotRenewable makes a lease that ends at its TTL.
	NotRenewable bool
	// Internal is what Revoke and Renew need to find the thing outside, as a value that encoding/json takes: at most
	// MaxInternal bytes. It is sealed, and never shown. It is fixed before anything is made: an engine chooses the
	// names of what it makes.
	Internal any
	// Resource, unless "", names what must be revoked in order: of all leases of a mount with the same
	// resource, Revoke gets the one that died first until that is done or given up, and only then the next.
	Resource string
	// Make makes the thing outside, once the intent is replicated. It runs at most once. until is when the lease will
	// end if it is not renewed. An error means that the client gets it as its answer, and that what was made is
	// revoked. nil: nothing outside needs to be made, only to be taken back.
	Make func(ctx context.Context, until time.Time) error
}

// MaxInternal bounds Secret.Internal, as JSON.
const MaxInternal = 64 << 10

// Lease is what an engine gets to see of a lease that it revokes or renews.
type Lease struct {
	ID              string // "database/creds/reader/…"; never used again: good for telling repeated calls apart
	Path            string // of the request that made it, below the mount as it was called then
	Issued, Expires token.Instant
	TTL             time.Duration // as it was issued
	// Increment is the TTL that a renewal asks for; 0: none in particular.
	Increment time.Duration
	// Attempt counts calls of Revoke for this lease, from 1.
	Attempt int
	// Internal is Secret.Internal as JSON; see Load.
	Internal []byte
}

// Load decodes Secret.Internal into v.
func (l *Lease) Load(v any) error {
	if err := json.Unmarshal(l.Internal, v); err != nil {
		return fmt.Errorf("what is known of lease %s: %w", l.ID, err)
	}
	return nil
}

// Renewal is by which terms a lease is renewed. Zero durations leave it to the mount; a lease never outlives
// the MaxTTL that it was issued with.
type Renewal struct {
	TTL, MaxTTL time.Duration
	// Make moves the end of the thing outside, before the lease is renewed. nil: there is nothing to do.
	Make func(ctx context.Context, until time.Time) error
}

// LeaseContext binds what is sealed of a lease to it.
func LeaseContext(id string) []byte { return []byte("lease " + id) }

// OpenLease makes of a row what an engine gets to see of it. mountPath is that of the mount.
func OpenLease(row *lease.Lease, mountPath string, s Sealer) (*Lease, error) {
	l := &Lease{
		ID: row.ID, Path: strings.TrimPrefix(row.Path(), mountPath), Issued: row.Issued, Expires: row.Expires, TTL: row.TTL,
		Attempt: int(row.Revocation.Attempts) + 1,
	}
	if len(row.Data) == 0 {
		return l, nil
	}
	if s == nil {
		return nil, Unreachable("this node has no key yet to open what is known of lease %s", row.ID)
	}
	var err error
	if l.Internal, err = s.Open(row.Data, LeaseContext(row.ID)); err != nil {
		return nil, fmt.Errorf("opening what is known of lease %s: %w", row.ID, err)
	}
	return l, nil
}
