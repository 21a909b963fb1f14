package cluster

import (
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// TestClockVerdict gives a node, whose clock is right, opinions of others.
func TestClockVerdict(t *testing.T) {
	t.Parallel()
	const s = time.Second
	for name, c := range map[string]struct {
		others []time.Duration // how far their clocks are ahead of the own one
		silent int             // voters without an opinion
		want   time.Duration
	}{
		"alone":                       {nil, 0, 0},
		"all agree":                   {[]time.Duration{0, 0}, 0, 0},
		"two others agree on another": {[]time.Duration{15 * s, 15 * s}, 0, -15 * s},
		"behind":                      {[]time.Duration{-15 * s, -14 * s}, 0, 14 * s},
		"one other is wrong":          {[]time.Duration{0, 3600 * s}, 0, 0},
		"in the middle":               {[]time.Duration{-60 * s, 60 * s}, 0, 0},
		"two nodes that differ":       {[]time.Duration{60 * s}, 0, 0},
		"two of three that differ":    {[]time.Duration{60 * s}, 1, 0},
		"two against two":             {[]time.Duration{0, 60 * s, 60 * s}, 0, 0},
		"one against three":           {[]time.Duration{59 * s, 60 * s, 61 * s}, 0, -59 * s},
		"three of five, two agree":    {[]time.Duration{60 * s, 60 * s}, 2, -60 * s},
		"no majority":                 {[]time.Duration{60 * s}, 3, 0},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Now().Round(0)
			cl := newClocks(&Config{Now: func() time.Time { return now.Add(time.Since(now)) }, Tune: Tuning{ClockSkew: clockLimit}})
			voters := []raft.Server{{ID: "self"}, {ID: "guest", Suffrage: raft.Nonvoter}}
			cl.note("guest", 1, time.Now()) // has no say
			for i, ahead := range c.others {
				id := string(rune('a' + i))
				voters = append(voters, raft.Server{ID: raft.ServerID(id)})
				cl.note(id, cl.now().Add(ahead).UnixNano(), time.Now())
			}
			for range c.silent {
				voters = append(voters, raft.Server{ID: "silent"})
			}
			if got := cl.skew("self", voters); got.Round(s) != c.want {
				t.Errorf("the own clock is off by %s, want %s", got, c.want)
			}
		})
	}
}

// TestOwnJumpIsSeenAtOnce: nobody needs to be asked.
func TestOwnJumpIsSeenAtOnce(t *testing.T) {
	t.Parallel()
	off := time.Duration(0)
	cl := newClocks(&Config{Now: func() time.Time { return time.Now().Add(off) }, Tune: Tuning{ClockSkew: clockLimit}})
	voters := []raft.Server{{ID: "self"}, {ID: "a"}, {ID: "b"}}
	cl.note("a", time.Now().UnixNano(), time.Now())
	cl.note("b", time.Now().UnixNano(), time.Now())
	off = time.Hour
	if got := cl.skew("self", voters).Round(time.Minute); got != time.Hour {
		t.Errorf("the own clock is off by %s, want 1h", got)
	}
}

// TestSlowAnswersProveLittle: half of the time that the answer took is not held against a clock.
func TestSlowAnswersProveLittle(t *testing.T) {
	t.Parallel()
	cl := newClocks(&Config{Now: time.Now, Tune: Tuning{ClockSkew: clockLimit}})
	voters := []raft.Server{{ID: "self"}, {ID: "a"}, {ID: "b"}}
	asked := time.Now().Add(-time.Hour)
	for _, id := range []string{"a", "b"} {
		cl.note(id, asked.Add(5*time.Minute).UnixNano(), asked) // somewhere in that hour
	}
	if got := cl.skew("self", voters); got != 0 {
		t.Errorf("the own clock is off by %s, want no verdict", got)
	}
}
