//go:build chaos

package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

// TestShiftedClock follows the file: absent, right, wrong, absent again.
func TestShiftedClock(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "offset")
	env := &environment{getenv: func(k string) string {
		if k == offsetVariable {
			return file
		}
		return ""
	}}
	now := clock(env, hclog.NewNullLogger())
	put := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	off := func(want time.Duration) {
		t.Helper()
		tick := time.NewTicker(offsetPause / 4)
		defer tick.Stop()
		for deadline := time.Now().Add(20 * time.Second); ; <-tick.C {
			got := now().Sub(time.Now().Round(0)).Round(time.Second)
			if got == want {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("the clock is off by %s, want %s", got, want)
			}
		}
	}
	off(0)
	put("-15s\n")
	off(-15 * time.Second)
	put("1h")
	off(time.Hour)
	c := &shiftedClock{file: file, log: hclog.NewNullLogger(), offset: time.Minute}
	put("soon")
	if c.load(); c.offset != time.Minute {
		t.Errorf("a wrong offset was taken: %s", c.offset)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	off(0)
}
