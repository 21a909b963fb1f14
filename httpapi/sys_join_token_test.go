package httpapi

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/tokengrove/grove/fsm"
)

// fakeTrust makes join tokens that can be told apart, and rotates at once.
type fakeTrust struct {
	made    byte
	rotated uint64
	err     error
}

func (f *fakeTrust) RotateCA(context.Context) error {
	f.rotated++
	return f.err
}

func (f *fakeTrust) TrustStatus(context.Context) (fsm.TrustStatus, error) {
	return fsm.TrustStatus{
		Version: f.rotated, Rotating: f.rotated > 0, Waiting: []string{"n2"},
		Authorities: []fsm.AuthorityStatus{{Fingerprint: "ab", Signs: true, End: time.Unix(1_900_000_000, 0)}},
	}, f.err
}

func (f *fakeTrust) MintJoinToken() (string, fsm.JoinHash, error) {
	f.made++
	return "gjt." + strings.Repeat(string('a'+rune(f.made)), 4), fsm.JoinHash{f.made}, nil
}

// trusting is a server whose node has credentials.
func trusting(t *testing.T, f *fakeTrust) *server {
	s := newServer(t)
	var err error
	s.handler, err = New(Config{Store: s.store, Cluster: s.cluster, Operations: Operations{Trust: f}, Now: func() time.Time { return s.clock }})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestJoinTokens(t *testing.T) {
	t.Parallel()
	s := trusting(t, &fakeTrust{})
	s.post(rootID, "sys/grove/join-token", nil).want(200).is("data.join_token", "gjt.bbbb").is("data.ttl", 3600).
		is("data.expire_time", s.clock.Add(time.Hour).Format(time.RFC3339Nano))
	s.put(rootID, "sys/grove/join-token", obj{"ttl": "10m"}).want(200).is("data.ttl", 600)
	s.put(rootID, "sys/grove/join-token", obj{"ttl": "25h"}).refused(400, "at most 24h")
	s.put(rootID, "sys/grove/join-token", obj{"ttl": 0}).refused(400, "more than nothing")
	s.put(rootID, "sys/grove/join-token", obj{"ttl": "soon"}).refused(400, `for field "ttl"`)
	s.get(rootID, "sys/grove/join-token").refused(405, "unsupported operation")
	s.post("", "sys/grove/join-token", nil).refused(403, "permission denied")
	weak := s.with(`path "sys/grove/*" { capabilities = ["update"] }`)
	s.post(weak, "sys/grove/join-token", nil).refused(403, "permission denied")
	strong := s.with(`path "sys/grove/join-token" { capabilities = ["update", "sudo"] }`, obj{"num_uses": 1})
	s.post(strong, "sys/grove/join-token", nil).want(200)
	s.post(strong, "sys/grove/join-token", nil).refused(403, "permission denied")
	open := 0
	for n := range byte(10) {
		if _, ok := s.store.leader.JoinToken(fsm.JoinHash{n}, 0); ok {
			open++
		}
	}
	if open != 3 {
		t.Errorf("%d join tokens are open, want 3", open)
	}
	newServer(t).post(rootID, "sys/grove/join-token", nil).refused(404, "unsupported path")
}
