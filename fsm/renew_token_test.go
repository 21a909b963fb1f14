package fsm

import (
	"testing"
	"time"

	"github.com/tokengrove/grove/fsm/token"
)

func TestTermsGrant(t *testing.T) {
	const h = time.Hour
	created := token.InstantOf(time.Unix(1_000_000, 500_000_000))
	tests := []struct {
		name  string
		terms Terms
		after time.Duration
		want  Grant
		ok    bool
	}{
		{"increment wins", Terms{Increment: 2 * h, TTL: h, Default: 3 * h, Max: 24 * h, Created: created}, h, Grant{TTL: 2 * h}, true},
		{"last TTL without increment", Terms{TTL: h, Default: 3 * h, Max: 24 * h, Created: created}, h, Grant{TTL: h}, true},
		{"default without either", Terms{Default: 3 * h, Max: 24 * h, Created: created}, h, Grant{TTL: 3 * h}, true},
		{"capped by the mount", Terms{Increment: 30 * h, Max: 24 * h, Created: created}, 4 * h, Grant{TTL: 20 * h, Asked: 30 * h, Max: 20 * h}, true},
		{"capped by explicit max", Terms{Increment: 30 * h, Max: 24 * h, ExplicitMax: 2 * h, Created: created}, h, Grant{TTL: h, Asked: 30 * h, Max: h}, true},
		{"explicit max above the mount's", Terms{Increment: 30 * h, Max: 24 * h, ExplicitMax: 48 * h, Created: created}, 0, Grant{TTL: 24 * h, Asked: 30 * h, Max: 24 * h}, true},
		{"past the end", Terms{Increment: h, Max: 24 * h, Created: created}, 24 * h, Grant{}, false},
		{"period has no end", Terms{Increment: 9 * h, Period: h, Max: 24 * h, Created: created}, 100 * h, Grant{TTL: h}, true},
		{"period above the maximum", Terms{Period: 30 * h, Max: 24 * h, Created: created}, 0, Grant{TTL: 24 * h, Asked: 30 * h, Max: 24 * h, PeriodCapped: true}, true},
		{"period ends at explicit max", Terms{Period: h, ExplicitMax: 2 * h, Max: 24 * h, Created: created}, 90 * time.Minute, Grant{TTL: 30 * time.Minute, Asked: h, Max: 30 * time.Minute}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := tt.terms.Grant(created.Add(tt.after))
			if tt.ok {
				tt.want.Until = created.Add(tt.after + tt.want.TTL)
			}
			if got != tt.want || ok != tt.ok {
				t.Errorf("got %+v %v, want %+v %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestGrantNeverPassesTheEnd(t *testing.T) {
	created := token.InstantOf(time.Unix(1_000_000, 100_000_000))
	now := token.InstantOf(time.Unix(1_000_030, 900_000_000))
	g, ok := Terms{Increment: time.Hour, ExplicitMax: time.Minute, Max: time.Hour, Created: created}.Grant(now)
	if want := created.Add(time.Minute); !ok || g.Until != want || g.TTL != 30*time.Second {
		t.Errorf("got %+v %v, want 30s and exactly %d", g, ok, want)
	}
}

func TestRenew(t *testing.T) {
	b := newBench(t)
	h := b.token(b.root, func(r *token.Record) { r.TTL = time.Minute })
	fixed := b.token(b.root, func(r *token.Record) { r.Renewable = false })
	renew := func(h token.Hash, inc time.Duration) *RenewToken {
		return &RenewToken{Caller: b.as(b.root), Target: Target{Token: h}, Increment: inc, DefaultTTL: time.Hour, MaxTTL: 24 * time.Hour}
	}
	b.at = b.at.Add(30 * time.Second)
	r := b.ok(renew(h, 10*time.Minute))
	if r.Granted != 10*time.Minute || r.Token.Deadline != b.at.Add(10*time.Minute) || r.Token.Renewed != b.at {
		t.Errorf("got %+v", r)
	}
	if r := b.ok(renew(h, 0)); r.Granted != 10*time.Minute {
		t.Errorf("without increment: %s, want the TTL that was granted last", r.Granted)
	}
	b.refused(Invalid, "lease is not renewable", renew(fixed, time.Minute))
	b.refused(Invalid, "lease is not renewable", renew(b.root, time.Minute))
	b.refused(NotFound, "token not found", renew(token.Hash{0x66}, 0))
}
