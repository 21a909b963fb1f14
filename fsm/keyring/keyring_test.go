package keyring

import (
	"testing"
	"time"

	"github.com/tokengrove/grove/fsm/token"
)

func key(term uint32) Key {
	return Key{Term: term, Installed: token.Instant(term), Cluster: "c", Seal: SealID{1}, Sealed: []byte{1}}
}

// TestRing: a ring that is added to is another one.
func TestRing(t *testing.T) {
	t.Parallel()
	empty := &Ring{}
	one := empty.With(key(1))
	two := one.With(key(2)).Rotated(Rotation{Interval: MinInterval})
	if !empty.IsZero() || len(one.Keys) != 1 || one.Rotation.Interval != 0 || two.Last().Term != 2 {
		t.Errorf("%+v, %+v, %+v", empty, one, two)
	}
	for term, want := range map[uint32]bool{0: false, 1: true, 2: true, 3: false, 1 << 31: false} {
		if k, ok := two.Key(term); ok != want || (ok && k.Term != term) {
			t.Errorf("term %d: found %v %d", term, ok, k.Term)
		}
	}
	for name, c := range map[string]struct {
		r    Ring
		want bool
	}{
		"a day later":         {*two, true},
		"disabled":            {*two.Rotated(Rotation{Interval: MinInterval, Disabled: true}), false},
		"without an interval": {*one, false},
	} {
		if got := c.r.Due(token.Instant(2).Add(MinInterval)); got != c.want {
			t.Errorf("%s: due %v", name, got)
		}
	}
	if two.Due(token.Instant(1).Add(MinInterval)) {
		t.Error("due before its time")
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	unsealed := key(1)
	unsealed.Sealed = nil
	for name, c := range map[string]struct {
		r    *Ring
		good bool
	}{
		"empty":           {&Ring{}, true},
		"two":             {(&Ring{}).With(key(1)).With(key(2)), true},
		"a gap":           {(&Ring{}).With(key(1)).With(key(3)), false},
		"no key":          {(&Ring{}).With(unsealed), false},
		"short interval":  {(&Ring{}).Rotated(Rotation{Interval: time.Hour}), false},
		"few operations":  {(&Ring{}).Rotated(Rotation{Operations: 5}), false},
		"many operations": {(&Ring{}).Rotated(Rotation{Operations: MaxOperations + 1}), false},
		"rotation":        {(&Ring{}).Rotated(Rotation{Operations: MinOperations, Interval: MinInterval}), true},
	} {
		if err := c.r.Check(); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}
