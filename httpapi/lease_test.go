package httpapi

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/lease"
	"github.com/tokengrove/grove/fsm/token"
)

// bank is a lease engine under test: what it makes is counted, and goes wrong as the test says.
type bank struct {
	made   []string // names of what was made outside
	during func() error
	renew  func(*engine.Lease) (*engine.Renewal, error)
	then   engine.Handler
}

func (b *bank) Paths() []engine.Path {
	fields := engine.Fields{"ttl": engine.Seconds, "max_ttl": engine.Seconds, "fixed": engine.Boolean}
	return []engine.Path{
		{Pattern: "creds/{name}", Fields: fields, Lends: true, Ops: map[engine.Operation]engine.Handler{engine.Read: b.creds, engine.Write: b.creds}},
		{Pattern: "key", Ops: map[engine.Operation]engine.Handler{engine.Write: b.key, engine.Read: readKey}},
	}
}

func (b *bank) creds(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	rq.Storage.Find("key")
	name := rq.Text("name")
	if name == "none" {
		return nil, engine.ErrNotFound
	}
	return &engine.Response{Data: map[string]any{"password": "hidden-" + name}, Secret: &engine.Secret{
		TTL: rq.Seconds("ttl"), MaxTTL: rq.Seconds("max_ttl"), NotRenewable: rq.Boolean("fixed"), Internal: map[string]string{"user": name}, Resource: "r",
		Make: func(_ context.Context, until time.Time) error {
			b.made = append(b.made, fmt.Sprintf("%s until %s", name, until.UTC().Format(time.TimeOnly)))
			if b.during == nil {
				return nil
			}
			return b.during()
		},
	}}, nil
}

// key writes what will be, does something outside, and writes what is.
func (b *bank) key(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	rq.Storage.Put("next", []byte("2"))
	return &engine.Response{Then: func(ctx context.Context, rq *engine.Request) (*engine.Response, error) {
		if b.then != nil {
			return b.then(ctx, rq)
		}
		next, _ := rq.Storage.Find("next")
		rq.Storage.Put("key", next)
		rq.Storage.Delete("next")
		return &engine.Response{Data: map[string]any{"key": string(next)}}, nil
	}}, nil
}

func readKey(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	key, _ := rq.Storage.Find("key")
	next, _ := rq.Storage.Find("next")
	return &engine.Response{Data: map[string]any{"key": string(key), "next": string(next)}}, nil
}

func (b *bank) Revoke(context.Context, *engine.Request, *engine.Lease) error { return nil }

func (b *bank) Renew(_ context.Context, _ *engine.Request, l *engine.Lease) (*engine.Renewal, error) {
	if b.renew != nil {
		return b.renew(l)
	}
	return &engine.Renewal{}, nil
}

// newBank is a server with the engine mounted at bank/.
func newBank(t *testing.T) (*server, *bank) {
	t.Helper()
	t.Parallel()
	b := &bank{}
	s := newServer(t, func(c *Config) {
		c.Engines.Secrets = map[string]engine.Secrets{"bank": b}
	})
	s.post(rootID, "sys/mounts/bank", obj{"type": "bank", "config": obj{"default_lease_ttl": "1h", "max_lease_ttl": "2h"}}).want(204)
	return s, b
}

// queue are the leases that must be taken back.
func (s *server) queue() (ids []string) {
	s.store.View(func(m *fsm.Machine) {
		for _, r := range m.Revocations("", 1000, token.InstantOf(s.clock), func(*lease.Lease) bool { return true }) {
			ids = append(ids, r.ID)
		}
	})
	return ids
}

func TestLeaseIsIssuedLookedUpRenewedAndRevoked(t *testing.T) {
	s, b := newBank(t)
	id := s.token(nil)
	a := s.get(rootID, "bank/creds/amy").want(200).is("data", obj{"password": "hidden-amy"}).is("lease_duration", 3600).is("renewable", true).is("mount_type", "bank").is("auth", nil)
	leaseID := a.text("lease_id")
	if !strings.HasPrefix(leaseID, "bank/creds/amy/") || a.header.Get("X-Vault-Index") == "" {
		t.Errorf("lease %q, index %q", leaseID, a.header.Get("X-Vault-Index"))
	}
	if got := strings.Join(b.made, ", "); got != "amy until 09:00:00" {
		t.Errorf("made %q", got)
	}
	s.put(rootID, "sys/leases/lookup", obj{"lease_id": leaseID}).want(200).is("data", obj{
		"id": leaseID, "issue_time": "2027-01-15T08:00:00Z", "expire_time": "2027-01-15T09:00:00Z", "last_renewal": nil, "renewable": true, "ttl": 3600,
	})
	s.list(rootID, "sys/leases/lookup/bank/creds").want(200).is("data.keys", arr{"amy/"})
	s.get(rootID, "sys/leases/count").want(200).is("data.lease_count", 1).is("data.counts", obj{"bank/": 1})

	until := ""
	b.renew = func(l *engine.Lease) (*engine.Renewal, error) {
		var known map[string]string
		if err := l.Load(&known); err != nil || known["user"] != "amy" || l.Path != "creds/amy" || l.Increment != 90*time.Minute {
			t.Errorf("renewed is %+v, %v, %v", l, known, err)
		}
		return &engine.Renewal{Make: func(_ context.Context, at time.Time) error { until = at.UTC().Format(time.TimeOnly); return nil }}, nil
	}
	s.clock = s.clock.Add(time.Minute)
	s.put(id, "sys/leases/renew", obj{"lease_id": leaseID, "increment": "90m"}).want(200).is("lease_id", leaseID).is("lease_duration", 5400).is("renewable", true).is("data", nil).warns()
	if until != "09:31:00" {
		t.Errorf("outside it ends at %s, want 09:31:00", until)
	}
	s.clock = s.clock.Add(time.Hour)
	s.put(rootID, "sys/leases/renew/"+leaseID, obj{"increment": "90m"}).want(200).is("lease_duration", 59*60).warns(`TTL of "1h30m0s" exceeded the effective max_ttl of "59m0s"; TTL value is capped accordingly`)
	s.put(rootID, "sys/leases/lookup", obj{"lease_id": leaseID}).is("data.last_renewal", "2027-01-15T09:01:00Z").is("data.ttl", 59*60)
	b.renew = func(*engine.Lease) (*engine.Renewal, error) { return nil, engine.Invalid("the role is gone") }
	s.put(rootID, "sys/leases/renew", obj{"lease_id": leaseID}).refused(400, "the role is gone")

	s.put(rootID, "sys/leases/revoke", obj{"lease_id": leaseID}).want(204)
	s.put(rootID, "sys/leases/lookup", obj{"lease_id": leaseID}).refused(400, "invalid lease")
	s.put(rootID, "sys/leases/renew", obj{"lease_id": leaseID}).refused(400, "lease not found")
	s.list(rootID, "sys/leases/lookup/bank/").refused(404, "")
	s.put(rootID, "sys/leases/revoke", obj{"lease_id": leaseID}).want(204)
	if got := s.queue(); len(got) != 1 || got[0] != leaseID {
		t.Errorf("the queue is %q", got)
	}
	fixed := s.post(rootID, "bank/creds/bob", obj{"ttl": "3h", "fixed": true}).want(200).is("lease_duration", 7200).is("renewable", false).
		warns(`TTL of "3h0m0s" exceeded the effective max_ttl of "2h0m0s"; TTL value is capped accordingly`).text("lease_id")
	s.put(rootID, "sys/leases/renew", obj{"lease_id": fixed}).refused(400, "lease is not renewable")
	s.get(rootID, "bank/creds/none").refused(404, "")
}

// TestNoSecretOfALeaseInTheLog: neither the secret nor what the engine keeps is in clear where it is replicated.
func TestNoSecretOfALeaseInTheLog(t *testing.T) {
	s, _ := newBank(t)
	s.get(rootID, "bank/creds/amy").want(200)
	for _, c := range s.store.log {
		_, body, err := fsm.EncodeCommand(c)
		if err != nil || strings.Contains(string(body), "hidden-") {
			t.Errorf("%T has a secret in its body, or none: %v", c, err)
		}
	}
}

// TestIntentComesFirst: when something is made outside, what is needed to take it back is in the log.
func TestIntentComesFirst(t *testing.T) {
	s, b := newBank(t)
	b.during = func() error {
		begun, ok := s.store.log[len(s.store.log)-1].(*fsm.BeginLease)
		if !ok || len(begun.Draft.Data) == 0 || s.queue() != nil {
			t.Errorf("before Make the log ends with %+v, the queue is %q", s.store.log[len(s.store.log)-1], s.queue())
		}
		return nil
	}
	s.get(rootID, "bank/creds/amy").want(200)
}

// TestWhatComesToNothingIsTakenBack: whatever goes wrong once something may have been made.
func TestWhatComesToNothingIsTakenBack(t *testing.T) {
	for name, c := range map[string]struct {
		during func(s *server, id string) error
		status int
		text   string
	}{
		"it fails":  {func(*server, string) error { return engine.Invalid("the database says no") }, 400, "the database says no"},
		"too late":  {func(*server, string) error { return fmt.Errorf("creating: %w", context.DeadlineExceeded) }, 503, "did not answer in time"},
		"internal":  {func(*server, string) error { return errors.New("odd") }, 500, "internal error"},
		"it panics": {func(*server, string) error { panic("odd") }, 500, "internal error"},
		"the token dies": {func(s *server, id string) error {
			s.post(rootID, "auth/token/revoke", obj{"token": id}).want(204)
			if s.queue() != nil {
				s.Errorf("an open intent is in the queue")
			}
			return nil
		}, 403, "permission denied"},
		"its parent dies": {func(s *server, id string) error {
			s.put(rootID, "sys/leases/revoke-prefix/auth/token/create", nil).want(204)
			return nil
		}, 403, "permission denied"},
		"the mount is disabled": {func(s *server, _ string) error { s.delete(rootID, "sys/mounts/bank").want(204); return nil }, 400, "revoked meanwhile"},
		"the prefix is revoked": {func(s *server, _ string) error {
			s.put(rootID, "sys/leases/revoke-prefix/bank/creds", nil).want(204)
			return nil
		}, 400, "revoked meanwhile"},
		"no answer to the commit": {func(s *server, _ string) error {
			first := true
			s.store.propose = func() error {
				if first {
					first = false
					return fsm.Errorf(fsm.OutcomeUnknown, "no answer in time")
				}
				return nil
			}
			return nil
		}, 500, "no answer in time"},
	} {
		t.Run(name, func(t *testing.T) {
			s, b := newBank(t)
			id := s.with(`path "bank/*" { capabilities = ["read"] }`)
			b.during = func() error { return c.during(s, id) }
			s.get(id, "bank/creds/amy").refused(c.status, c.text)
			if len(b.made) != 1 {
				t.Errorf("made %q, want one thing", b.made)
			}
			if name == "it panics" {
				s.clock = s.clock.Add(lease.IntentLife) // nobody can say so
				s.post(rootID, "auth/token/create", nil).want(200)
			}
			if got := s.queue(); len(got) != 1 || !strings.HasPrefix(got[0], "bank/creds/amy/") {
				t.Errorf("the queue is %q, want what was made", got)
			}
			s.list(rootID, "sys/leases/lookup/bank/creds/").refused(404, "")
		})
	}
}

// TestGroundOfALease: what the engine has read counts when the intent is replicated, and is not asked about again.
func TestGroundOfALease(t *testing.T) {
	s, b := newBank(t)
	s.store.before = func() { s.post(rootID, "bank/key", nil).want(200) }
	s.get(rootID, "bank/creds/amy").want(200)
	if len(b.made) != 1 {
		t.Errorf("made %q though the first intent was stale", b.made)
	}
	b.during = func() error {
		s.put(rootID, "sys/policies/acl/x", obj{"policy": `path "x" { capabilities = ["read"] }`}).want(204)
		s.post(rootID, "bank/key", nil).want(200)
		return nil
	}
	s.get(rootID, "bank/creds/bob").want(200)
	if len(b.made) != 2 || s.queue() != nil {
		t.Errorf("made %q, queue %q", b.made, s.queue())
	}
}

func TestLimitedTokenAndLeases(t *testing.T) {
	s, b := newBank(t)
	const rules = `path "bank/*" { capabilities = ["read"] }`
	id := s.with(rules, obj{"num_uses": 3})
	a := s.get(id, "bank/creds/amy").want(200)
	if n := s.usesLeft(id); n != 2 {
		t.Errorf("%d uses left after one lease, want 2", n)
	}
	s.get(id, "bank/creds/none").refused(404, "")
	if n := s.usesLeft(id); n != 1 {
		t.Errorf("%d uses left after a refusal, want 1", n)
	}
	b.made = nil
	s.get(id, "bank/creds/bob").refused(400, "token had one use left")
	if n := s.usesLeft(id); n != -1 || b.made != nil {
		t.Errorf("%d uses left after the last, made %q", n, b.made)
	}
	s.put(rootID, "sys/leases/lookup", obj{"lease_id": a.text("lease_id")}).refused(400, "invalid lease")
	id = s.with(rules, obj{"num_uses": 3})
	b.during = func() error { return engine.Invalid("no") }
	s.get(id, "bank/creds/amy").refused(400, "no")
	if n := s.usesLeft(id); n != 2 || len(b.made) != 1 {
		t.Errorf("%d uses left after a failure outside, made %q", n, b.made)
	}
}

// TestLeaseUnderAKey: a request that is sent again makes nothing again, and answers the same.
func TestLeaseUnderAKey(t *testing.T) {
	s, b := newBank(t)
	id := s.with(`path "bank/*" { capabilities = ["read"] }`, obj{"num_uses": 5})
	first := s.call("GET", id, "bank/creds/amy", nil, "Idempotency-Key", "k").want(200)
	again := s.call("GET", id, "bank/creds/amy", nil, "Idempotency-Key", "k").want(200)
	if first.raw != again.raw || len(b.made) != 1 || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("made %q; first %s again %s", b.made, first.raw, again.raw)
	}
	if n := s.usesLeft(id); n != 4 {
		t.Errorf("%d uses left, want 4", n)
	}
	b.during = func() error { return engine.Invalid("no") }
	s.call("GET", id, "bank/creds/bob", nil, "Idempotency-Key", "l").refused(400, "no")
	s.call("GET", id, "bank/creds/bob", nil, "Idempotency-Key", "l").refused(400, "no")
	if n := s.usesLeft(id); n != 3 || len(b.made) != 2 {
		t.Errorf("%d uses left, made %q", n, b.made)
	}
}

func TestTwoSteps(t *testing.T) {
	s, b := newBank(t)
	id := s.with(`path "bank/*" { capabilities = ["read","update"] }`, obj{"num_uses": 9})
	s.post(id, "bank/key", nil).want(200).is("data.key", "2")
	s.get(rootID, "bank/key").is("data", obj{"key": "2", "next": ""})
	if n := s.usesLeft(id); n != 8 {
		t.Errorf("%d uses left after two steps, want 8", n)
	}
	b.then = func(context.Context, *engine.Request) (*engine.Response, error) {
		return nil, engine.Invalid("outside says no")
	}
	s.post(id, "bank/key", nil).refused(400, "outside says no")
	s.get(rootID, "bank/key").is("data", obj{"key": "2", "next": "2"})
	if n := s.usesLeft(id); n != 7 {
		t.Errorf("%d uses left, want 7", n)
	}
	b.then = func(_ context.Context, rq *engine.Request) (*engine.Response, error) {
		rq.Storage.Find("next")
		rq.Storage.Put("key", []byte("3"))
		s.store.before = func() {
			b.then = nil
			s.post(rootID, "bank/key", nil).want(200)
		}
		return nil, nil
	}
	s.post(id, "bank/key", nil).refused(503, "changed by somebody else")
	s.get(rootID, "bank/key").is("data", obj{"key": "2", "next": ""})
	b.then = nil
	first := s.call("POST", id, "bank/key", obj{}, "Idempotency-Key", "k").want(200)
	if again := s.call("POST", id, "bank/key", obj{}, "Idempotency-Key", "k").want(200); again.raw != first.raw {
		t.Errorf("again %s, first %s", again.raw, first.raw)
	}
}

// TestLeaseOnAReplicaThatLags: what it does not know yet is not refused.
func TestLeaseOnAReplicaThatLags(t *testing.T) {
	s, _ := newBank(t)
	s.store.lag = true
	a := s.get(rootID, "bank/creds/amy").want(200)
	s.put(rootID, "sys/leases/renew", obj{"lease_id": a.text("lease_id")}).want(200)
	s.put(rootID, "sys/leases/revoke", obj{"lease_id": a.text("lease_id")}).want(204)
	s.put(rootID, "sys/leases/renew", obj{"lease_id": a.text("lease_id")}).refused(400, "lease not found")
}

func TestRevocationsAreShownRetriedAndForced(t *testing.T) {
	s, _ := newBank(t)
	one, two := s.get(rootID, "bank/creds/a").text("lease_id"), s.get(rootID, "bank/creds/b").text("lease_id")
	s.put(rootID, "sys/leases/revoke-prefix/bank/creds", nil).want(204)
	s.get(rootID, "sys/grove/revocations").want(200).is("data.pending", 2).is("data.retrying", 0).is("data.parked", 0)
	fail := func(id string, park bool) {
		r, _ := s.rowOf(id)
		v := r.Revocation
		if _, err := s.store.Propose(context.Background(), &fsm.FailRevocation{ID: id, Turn: v.Turn, Attempts: v.Attempts, Error: "down", Wait: time.Minute, Park: park}); err != nil {
			t.Fatal(err)
		}
	}
	fail(one, false)
	s.get(rootID, "sys/grove/revocations/"+one).want(200).is("data", obj{
		"lease_id": one, "state": "retrying", "mount": "bank/", "mount_accessor": s.get(rootID, "sys/mounts/bank").text("data.accessor"), "type": "bank", "resource": "r",
		"attempts": 1, "last_error": "down", "forced": false, "since": "2027-01-15T08:00:00Z", "next_attempt": "2027-01-15T08:01:00Z",
	})
	fail(one, true)
	s.get(rootID, "sys/leases/count?type=irrevocable").want(200).is("data.lease_count", 1).is("data.counts", obj{"bank/": 1})
	s.get(rootID, "sys/leases?type=irrevocable").want(200).is("data.lease_count", 1)
	s.get(rootID, "sys/grove/revocations?state=parked").want(200).is("data.parked", 1).is("data.pending", 1)
	s.get(rootID, "sys/grove/revocations?state=odd").refused(400, "pending, retrying and parked are allowed")
	page := s.get(rootID, "sys/grove/revocations?limit=1").want(200)
	if rest := s.get(rootID, "sys/grove/revocations?after="+page.text("data.next_after")).want(200); len(rest.at("data.revocations").([]any)) != 1 {
		t.Errorf("the second page is %s", rest.raw)
	}
	s.post(rootID, "sys/grove/revocations/"+one+"/retry", nil).want(204)
	s.get(rootID, "sys/grove/revocations/"+one).is("data.state", "pending").is("data.next_attempt", "2027-01-15T08:00:00Z")
	s.post(rootID, "sys/grove/revocations/"+one+"/force", nil).want(204)
	fail(one, true)
	s.get(rootID, "sys/grove/revocations/"+one).refused(404, "")
	s.post(rootID, "sys/grove/revocations/"+one+"/retry", nil).refused(404, "no revocation")
	s.put(rootID, "sys/leases/revoke-force/bank", nil).want(204)
	fail(two, true)
	if got := s.queue(); got != nil {
		t.Errorf("the queue is %q", got)
	}
	weak := s.with(`path "sys/*" { capabilities = ["read","update","list"] }`)
	for _, path := range []string{"sys/grove/revocations", "sys/leases"} {
		s.get(weak, path).refused(403, "permission denied")
	}
}

func (s *server) rowOf(id string) (r fsm.Revocation, ok bool) {
	s.store.View(func(m *fsm.Machine) { r, ok = m.Revocation(id) })
	return r, ok
}

// TestSync waits until what is outside is gone, or says why it is not.
func TestSync(t *testing.T) {
	s, _ := newBank(t)
	id := s.get(rootID, "bank/creds/a").text("lease_id")
	end := func(c func(r fsm.Revocation) fsm.Command) chan struct{} {
		done := make(chan struct{})
		go func() {
			defer close(done)
			for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
				if r, ok := s.rowOf(id); ok {
					s.store.Propose(context.Background(), c(r))
					return
				}
			}
		}()
		return done
	}
	done := end(func(r fsm.Revocation) fsm.Command {
		return &fsm.FailRevocation{ID: id, Turn: r.Revocation.Turn, Error: "the database is down", Wait: time.Hour}
	})
	s.put(rootID, "sys/leases/revoke", obj{"lease_id": id, "sync": true}).refused(500, "is tried again: the database is down")
	<-done
	s.put(rootID, "sys/leases/lookup", obj{"lease_id": id}).refused(400, "invalid lease")
	id = s.get(rootID, "bank/creds/b").text("lease_id")
	done = end(func(r fsm.Revocation) fsm.Command { return &fsm.FinishRevocation{ID: id, Turn: r.Revocation.Turn} })
	s.put(rootID, "sys/leases/revoke-prefix/bank/creds/b", obj{"sync": true}).want(204)
	<-done
}

func TestSecretMounts(t *testing.T) {
	s, _ := newBank(t)
	s.get(rootID, "sys/mounts").want(200).is("data.bank/.type", "bank").is("data.sys/.type", "system").is("data.cubbyhole/.type", "cubbyhole")
	s.get(rootID, "sys/mounts/bank").want(200).is("data.config.default_lease_ttl", 3600)
	s.get(rootID, "sys/mounts/bank/tune").want(200).is("data.max_lease_ttl", 7200)
	s.post(rootID, "sys/mounts/bank/tune", obj{"default_lease_ttl": "10m", "description": "d"}).want(204)
	s.get(rootID, "bank/creds/a").want(200).is("lease_duration", 600)
	s.get(rootID, "sys/mounts/none").refused(400, "No secret engine mount at none/")
	s.get(rootID, "sys/auth/bank").refused(400, "No auth engine at bank/")
	for path, text := range map[string]string{
		"sys/x": "belongs to the server", "cubbyhole/x": "belongs to the server", "auth/x": "login methods are enabled at sys/auth", "bank/x": "path is already in use at bank/",
	} {
		s.post(rootID, "sys/mounts/"+path, obj{"type": "bank"}).refused(400, text)
	}
	s.post(rootID, "sys/mounts/x", obj{"type": "userpass"}).refused(400, "plugin not found in the catalog: userpass")
	s.post(rootID, "sys/auth/x", obj{"type": "bank"}).refused(400, "plugin not found in the catalog: bank")
	s.delete(rootID, "sys/mounts/cubbyhole").refused(400, "cannot unmount")
	s.delete(rootID, "sys/mounts/auth/token").refused(400, "login methods are disabled at sys/auth")
	id := s.get(rootID, "bank/creds/a").text("lease_id")
	s.post(rootID, "sys/remount", obj{"from": "bank", "to": "sys/bank"}).refused(400, "belongs to the server")
	s.post(rootID, "sys/remount", obj{"from": "bank", "to": "deep/bank"}).want(200)
	s.put(rootID, "sys/leases/lookup", obj{"lease_id": id}).refused(400, "invalid lease")
	s.get(rootID, "bank/creds/a").refused(404, "no handler for route")
	id = s.get(rootID, "deep/bank/creds/a").text("lease_id")
	s.delete(rootID, "sys/mounts/deep/bank").want(204)
	s.delete(rootID, "sys/mounts/deep/bank").want(204)
	s.put(rootID, "sys/leases/lookup", obj{"lease_id": id}).refused(400, "invalid lease")
	if got := s.queue(); len(got) != 3 {
		t.Errorf("the queue is %q, want three", got)
	}
}

// TestNoSealer: nothing is kept in clear.
func TestNoSealer(t *testing.T) {
	t.Parallel()
	b := &bank{}
	s := newServer(t, func(c *Config) { c.Engines.Secrets, c.Engines.Sealer = map[string]engine.Secrets{"bank": b}, nil })
	s.post(rootID, "sys/mounts/bank", obj{"type": "bank"}).want(204)
	s.get(rootID, "bank/creds/a").refused(503, "no key yet")
	if b.made != nil {
		t.Errorf("made %q", b.made)
	}
}
