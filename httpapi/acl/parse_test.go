package acl

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tokengrove/grove/fsm/policy"
)

func TestParse(t *testing.T) {
	t.Parallel()
	text := `
name = "other"
path "a/b*" {
  comment             = "why"
  capabilities        = ["create", "list"]
  min_wrapping_ttl    = "30s"
  max_wrapping_ttl    = 90
  allowed_parameters  = { "TTL" = ["5m", 1, true, ["x", "y"]], name = [] }
  denied_parameters   = { "*" = [] }
  required_parameters = ["Name"]
}
path "+/c" { capabilities = ["read"] mfa_methods = ["m"] subscribe_event_types = ["*"] }
path "t/{{identity.entity.id}}/*" { policy = "deny" }`
	got, err := Parse("mine", text)
	if err != nil {
		t.Fatal(err)
	}
	want := policy.Policy{Name: "mine", Text: text, Rules: []policy.Rule{
		{
			Path: "a/b", Glob: true, Capabilities: policy.Create | policy.List, MinWrappingTTL: 30 * time.Second, MaxWrappingTTL: 90 * time.Second,
			AllowedParameters:  map[string][]string{"ttl": {`"5m"`, `1`, `true`, `["x","y"]`}, "name": {}},
			DeniedParameters:   map[string][]string{"*": {}},
			RequiredParameters: []string{"name"},
		},
		{Path: "+/c", Segments: true, Capabilities: policy.Read},
		{Path: "t/{{identity.entity.id}}/", Glob: true, Capabilities: policy.Deny},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestParseAccepts(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"nothing":                 ``,
		"comment only":            `# nothing`,
		"no path given":           `path { capabilities = ["read"] }`,
		"empty path":              `path "" { capabilities = ["read"] }`,
		"the same path twice":     rules("a read", "a update"),
		"two labels":              `path "a" "b" { capabilities = ["read"] }`,
		"after a deny, anything":  `path "a" { policy = "deny" min_wrapping_ttl = "soon" }`,
		"days":                    `path "a" { max_wrapping_ttl = "2d" }`,
		"no TTL":                  `path "a" { max_wrapping_ttl = "" min_wrapping_ttl = "1h" }`,
		"equal bounds":            `path "a" { min_wrapping_ttl = 60 max_wrapping_ttl = "1m" }`,
		"control group":           `path "a" { capabilities = ["read"] control_group = { ttl = "1h" factor "f" { identity { group_names = ["g"] approvals = 1 } controlled_capabilities = ["read"] } } }`,
		"heredoc":                 "path \"a\" {\n comment = <<EOT\n } } {\nEOT\n}",
		"brace in a string":       `path "{[{[{[" { capabilities = ["read"] }`,
		"the deepest":             `path "a" { comment = ` + strings.Repeat("[", maxDepth-1) + strings.Repeat("]", maxDepth-1) + ` }`,
		"many braces in comments": "# " + strings.Repeat("{", 1000),
	} {
		if _, err := Parse("p", text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want string }{
		{"capability", `path "x" { capabilities = ["bogus"] }`, `path "x": invalid capability "bogus"`},
		{"capability in capitals", `path "x" { capabilities = ["Read"] }`, `path "x": invalid capability "Read"`},
		{"root is no capability", `path "x" { capabilities = ["root"] }`, `path "x": invalid capability "root"`},
		{"number for a capability", `path "x" { capabilities = [1] }`, `path "x": invalid capability "1"`},
		{"the path as written", `path "/x" { capabilities = ["bogus"] }`, `path "/x": invalid capability "bogus"`},
		{"bogus before deny", `path "x" { capabilities = ["bogus", "deny"] }`, `path "x": invalid capability "bogus"`},
		{"old policy", `path "x" { policy = "admin" }`, `path "x": invalid policy "admin"`},
		{"not HCL", `garbage {{`, `At 1:10: expected: IDENT | STRING got: LBRACE`},
		{"open block", `path "x" {`, `At 1:12: object expected closing RBRACE got: EOF`},
		{"open string", `path "x`, `At 1:8: literal not terminated`},
		{"not JSON", `{"path":{]`, ``},
		{"one text for the capabilities", `path "x" { capabilities = "read" }`, `path "x": At 1:27: unknown slice type: *ast.LiteralType`},
		{"one text for the values", `path "x" { allowed_parameters = { "a" = "b" } }`, ``},
		{"unknown key at the top", `other = 1`, "1 error occurred:\n\t* invalid key \"other\" on line 1\n\n"},
		{"unknown keys at the top", "other = 1\nmore = 2", "2 errors occurred:\n\t* invalid key \"other\" on line 1\n\t* invalid key \"more\" on line 2\n\n"},
		{"unknown key", "path \"x\" {\n nonsense = 1 }", "1 error occurred:\n\t* path \"x\": invalid key \"nonsense\" on line 2\n\n"},
		{"unknown keys", `path "x" { permissions = 1 Policy = "read" }`, "2 errors occurred:\n\t* path \"x\": invalid key \"permissions\" on line 1\n\t* path \"x\": invalid key \"Policy\" on line 1\n\n"},
		{"a hundred are named", strings.Repeat("a {}\n", 101), "100 errors occurred:" + strings.Repeat("\n\t* invalid key \"a\" on line 0", 100) + "\n\n"},
		{"not a block", `path = 5`, `path "path": cannot check HCL keys of type *ast.LiteralType`},
		{"name is not text", `name = ["a"]`, ``},
		{"capabilities are not texts", `path "x" { capabilities = { a = 1 } }`, ``},
		{"allowed parameters are no map", `path "x" { allowed_parameters = 5 }`, ``},
		{"denied parameters are no map", `path "x" { denied_parameters = "x" }`, ``},
		{"mfa methods are no list", `path "x" { mfa_methods { a = 1 } }`, ``},
		{"argument twice", `path "x" { policy = "read" policy = "write" }`, `The argument "policy" at 1:28 was already set. Each argument can only be defined once`},
		{"plus and star", `path "x/+*" { policy = "read" }`, `path "x/+*": invalid use of wildcards ('+*' is forbidden)`},
		{"plus and star of a word", `path "/x+*" { policy = "read" }`, `path "x+*": invalid use of wildcards ('+*' is forbidden)`},
		{"open template", `path "x/{{id" { policy = "read" }`, `failed to validate policy templating: unbalanced templating characters`},
		{"closed template", `path "x/}}" { policy = "read" }`, `failed to validate policy templating: unbalanced templating characters`},
		{"nested template", `path "{{a{{b}}}}" { policy = "read" }`, `failed to validate policy templating: unbalanced templating characters`},
		{"template closed twice", `path "{{a}}b}}" { policy = "read" }`, `failed to validate policy templating: unbalanced templating characters`},
		{"bounds", `path "x" { min_wrapping_ttl = "5m" max_wrapping_ttl = "1m" }`, `max_wrapping_ttl cannot be less than min_wrapping_ttl`},
		{"min", `path "x" { min_wrapping_ttl = "soon" }`, `error parsing min_wrapping_ttl: time: invalid duration "soon"`},
		{"max", `path "x" { max_wrapping_ttl = ["a"] }`, `error parsing max_wrapping_ttl: could not parse duration from input`},
		{"max too long", `path "x" { max_wrapping_ttl = 9223372036854775807 }`, `error parsing max_wrapping_ttl: the duration is too long`},
		{"float too long", `path "x" { max_wrapping_ttl = 1e300 }`, `error parsing max_wrapping_ttl: the duration is too long`},
		{"days that are none", `path "x" { max_wrapping_ttl = "ad" }`, `error parsing max_wrapping_ttl: strconv.ParseInt: parsing "a": invalid syntax`},
		{"control group without factor", `path "x" { control_group = { ttl = "1h" } }`, `no control group factors provided`},
		{"control group with a bad TTL", `path "x" { control_group = { ttl = "soon" } }`, `error parsing control group max ttl: time: invalid duration "soon"`},
		{"control group without identity", `path "x" { control_group = { factor "f" { } } }`, `no control_group factor provided`},
		{"control group without approvals", `path "x" { control_group = { factor "f" { identity { group_names = ["g"] } } } }`, `must provide more than one identity group and approvals > 0`},
		{"control group of another capability", `path "x" { capabilities = ["read"] control_group = { factor "f" { identity { group_names = ["g"] approvals = 1 } controlled_capabilities = ["list"] } } }`, `control group factor capabilities must be a subset of the policy's capabilities`},
		{"too long", strings.Repeat("#", MaxText+1), `the text has 1048577 bytes, at most 1048576 are allowed`},
		{"bad UTF-8", "# \xff", `the text is not valid UTF-8`},
		{"bad UTF-8 by escape", `path "\xff" { policy = "read" }`, "path \"\\xff\": is not valid UTF-8"},
		{"zero byte", "path \"x\" { \x00 }", ``},
		{"too deep: blocks", strings.Repeat("a{", maxDepth+1), `blocks and lists nest deeper than 64`},
		{"too deep: lists", "a=" + strings.Repeat("[", MaxText/2), `blocks and lists nest deeper than 64`},
		{"too deep: after a heredoc with returns", "a = <<E\r\nE\r\nb=" + strings.Repeat("[", 1000), `blocks and lists nest deeper than 64`},
		{"too deep: JSON", strings.Repeat(`{"a":`, MaxText/5), `blocks and lists nest deeper than 64`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := Parse("p", tt.text)
			if err == nil || (tt.want != "" && err.Error() != tt.want) {
				t.Errorf("got  %q\nwant %q", err, tt.want)
			}
			if !reflect.DeepEqual(p, policy.Policy{}) {
				t.Error("a policy besides the error")
			}
		})
	}
}

func TestFormat(t *testing.T) {
	t.Parallel()
	got, err := Format("path \"x\" {capabilities=[\"read\"]\n  policy   =   \"read\" }")
	const want = "path \"x\" {\n  capabilities = [\"read\"]\n  policy       = \"read\"\n}\n"
	if err != nil || got != want {
		t.Errorf("got %q, %v\nwant %q", got, err, want)
	}
	again, err := Format(got)
	if err != nil || again != got {
		t.Errorf("again: %q, %v", again, err)
	}
	for _, text := range []string{`{{`, `path "x" { capabilities = ["bogus"] }`, `{"path":{}}`} {
		if out, err := Format(text); err == nil || out != "" {
			t.Errorf("%q was formatted: %q", text, out)
		}
	}
}
