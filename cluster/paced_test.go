package cluster

import (
	"bytes"
	"errors"
	"testing"
)

func TestPaced(t *testing.T) {
	t.Parallel()
	var to bytes.Buffer
	closing := make(chan struct{})
	p := newPaced(&to, closing)
	for _, part := range []string{"a", "bc", ""} {
		if n, err := p.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatalf("Write(%q): %d, %v", part, n, err)
		}
	}
	if to.String() != "abc" {
		t.Errorf("wrote %q, want \"abc\"", to.String())
	}
	p.since = p.since.Add(-1 << 40) // it would rest for a quarter of an hour
	close(closing)
	if _, err := p.Write([]byte("d")); !errors.Is(err, errClosing) {
		t.Errorf("closing: %v, want %v", err, errClosing)
	}
}
