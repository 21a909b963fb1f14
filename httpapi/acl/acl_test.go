package acl

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tokengrove/grove/fsm/policy"
)

// mustParse parses each text as a policy of its own.
func mustParse(t testing.TB, texts ...string) []policy.Policy {
	t.Helper()
	var ps []policy.Policy
	for i, text := range texts {
		p, err := Parse(fmt.Sprintf("p%d", i), text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		ps = append(ps, p)
	}
	return ps
}

func mustCompile(t testing.TB, texts ...string) *ACL {
	t.Helper()
	return Compile(mustParse(t, texts...))
}

// rules writes "path capability,capability" lines as a policy.
func rules(lines ...string) string {
	var b strings.Builder
	for _, l := range lines {
		path, caps, _ := strings.Cut(l, " ")
		fmt.Fprintf(&b, "path %q { capabilities = [%s] }\n", path, quoted(caps))
	}
	return b.String()
}

func quoted(caps string) string {
	if caps == "" {
		return ""
	}
	return `"` + strings.ReplaceAll(caps, ",", `", "`) + `"`
}
