package main

import (
	"errors"
	"testing"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status map[string]any
		code   int
	}{
		"leads":                   {map[string]any{"sealed": false, "is_self": true, "leader_address": ""}, 0},
		"follows":                 {map[string]any{"sealed": false, "is_self": false, "leader_address": "http://grove1:8200"}, 0},
		"waits for init":          {map[string]any{"sealed": true}, 0},
		"knows no leader":         {map[string]any{"sealed": false, "is_self": false, "leader_address": ""}, 2},
		"taken out":               {map[string]any{"sealed": false, "removed_from_cluster": true, "leader_address": "http://grove1:8200"}, 2},
		"taken out, and led once": {map[string]any{"sealed": false, "removed_from_cluster": true, "is_self": true}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := 0
			var exit *exitError
			if err := healthOf(c.status); errors.As(err, &exit) {
				got = exit.code
			} else if err != nil {
				t.Fatalf("an error without a code: %v", err)
			}
			if got != c.code {
				t.Errorf("exit code %d, want %d", got, c.code)
			}
		})
	}
}
