package acl

import (
	"strings"
	"testing"

	"github.com/tokengrove/grove/fsm/policy"
)

// want is what is expected on paths.
type want map[string]string

func TestCapabilities(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		texts []string
		want  want
	}{
		{"nothing", []string{``}, want{"": "deny", "x": "deny"}},
		{"exact", []string{rules("kv/a read")}, want{"kv/a": "read", "kv/ab": "deny", "kv/a/b": "deny", "kv": "deny", "kv/": "deny", "": "deny"}},
		{"exact keeps its slash", []string{rules("kv/a/ read")}, want{"kv/a/": "read", "kv/a": "deny"}},
		{"leading slash of the rule", []string{rules("/kv/a read")}, want{"kv/a": "read"}},
		{"only one leading slash of the rule", []string{rules("//kv/a read")}, want{"kv/a": "deny", "/kv/a": "deny"}},
		{"leading slashes of the path", []string{rules("kv/a read")}, want{"/kv/a": "read", "///kv/a": "read"}},
		{"case counts", []string{rules("kv/A read")}, want{"kv/A": "read", "kv/a": "deny"}},
		{"prefix", []string{rules("kv/a* read")}, want{"kv/a": "read", "kv/ab": "read", "kv/a/b/c": "read", "kv/b": "deny", "kv/": "deny"}},
		{"prefix needs its slash", []string{rules("kv/a/* read")}, want{"kv/a/": "read", "kv/a/b": "read", "kv/a": "deny"}},
		{"everything", []string{rules("* read")}, want{"": "read", "x": "read", "x/y": "read"}},
		{"star inside is a letter", []string{rules("kv/*/x read")}, want{"kv/*/x": "read", "kv/a/x": "deny"}},
		{"two stars at the end", []string{rules("kv/** read")}, want{"kv/*": "read", "kv/*a": "read", "kv/a": "deny"}},
		{"exact beats prefix", []string{rules("kv/* read,update", "kv/a list")}, want{"kv/a": "list", "kv/b": "read,update"}},
		{"longest prefix", []string{rules("kv/* read", "kv/a/* update", "kv/a/b* delete")}, want{"kv/x": "read", "kv/a/x": "update", "kv/a/bc": "delete"}},
		{"deny under a prefix", []string{rules("kv/* read", "kv/a/* deny")}, want{"kv/x": "read", "kv/a/x": "deny"}},
		{"allow under a denied prefix", []string{rules("kv/* deny", "kv/a read")}, want{"kv/a": "read", "kv/b": "deny"}},
		{"no capabilities", []string{rules("kv/* read", "kv/a ")}, want{"kv/a": "deny", "kv/b": "read"}},
		{"no capabilities named", []string{`path "kv/a" {}`}, want{"kv/a": "deny"}},
		{"every capability, sorted", []string{rules("k update,sudo,subscribe,recover,read,patch,list,delete,create")}, want{"k": "create,delete,list,patch,read,recover,subscribe,sudo,update"}},
		{"the same twice", []string{rules("k read,read")}, want{"k": "read"}},
		{"deny in a list", []string{rules("k read,deny,update")}, want{"k": "deny"}},

		{"union", []string{rules("k read"), rules("k update")}, want{"k": "read,update"}},
		{"union of equal prefixes", []string{rules("k* read"), rules("k* update")}, want{"ka": "read,update"}},
		{"union of equal segments", []string{rules("+/x read"), rules("+/x update")}, want{"a/x": "read,update"}},
		{"union in one policy", []string{rules("k read", "k update")}, want{"k": "read,update"}},
		{"no union of exact and prefix", []string{rules("k read"), rules("k* update")}, want{"k": "read"}},
		{"no union of prefixes", []string{rules("k* read"), rules("ka* update")}, want{"kab": "update"}},
		{"deny wins, last", []string{rules("k read"), rules("k deny")}, want{"k": "deny"}},
		{"deny wins, first", []string{rules("k deny"), rules("k read")}, want{"k": "deny"}},
		{"deny wins on a prefix", []string{rules("k* read"), rules("k* deny")}, want{"ka": "deny"}},
		{"deny of a shorter prefix does not", []string{rules("k* deny"), rules("ka* read")}, want{"ka": "read", "kb": "deny"}},

		{"old read", []string{`path "k" { policy = "read" }`}, want{"k": "list,read"}},
		{"old write", []string{`path "k" { policy = "write" }`}, want{"k": "create,delete,list,read,update"}},
		{"old sudo", []string{`path "k" { policy = "sudo" }`}, want{"k": "create,delete,list,read,sudo,update"}},
		{"old deny", []string{`path "k" { policy = "deny" capabilities = ["read"] }`}, want{"k": "deny"}},
		{"old and new", []string{`path "k" { policy = "read" capabilities = ["delete"] }`}, want{"k": "delete,list,read"}},
		{"old and a denying new", []string{`path "k" { policy = "write" capabilities = ["deny"] }`}, want{"k": "deny"}},

		{"templates match nothing", []string{rules("id/{{identity.entity.id}} read", "{{identity.entity.id}}* read", "+/{{x}} read", "ok read")}, want{"id/{{identity.entity.id}}": "deny", "id/x": "deny", "a/{{x}}": "deny", "ok": "read"}},
		{"not ASCII", []string{rules("kv/ä* read", "kv/+/ö update")}, want{"kv/äb": "read", "kv/x/ö": "update", "kv/a": "deny"}},

		{"JSON", []string{`{"path":{"kv/a":{"capabilities":["read"]},"kv/+":{"policy":"write"}}}`}, want{"kv/a": "read", "kv/b": "create,delete,list,read,update"}},
		{"JSON list of objects", []string{`{"path":[{"kv/a":{"capabilities":["read"]}},{"kv/b":{"policy":"deny"}}]}`}, want{"kv/a": "read", "kv/b": "deny"}},
		{"JSON after white space", []string{"\n\t {\"path\":{\"kv/a\":{\"capabilities\":[\"read\"]}}}"}, want{"kv/a": "read"}},
		{"comments", []string{"# one\n// two\n/* three { */ path \"k\" { # four\n capabilities = [\"read\", # five\n \"list\",] }"}, want{"k": "list,read"}},
		{"carriage returns", []string{"path \"k\" {\r\n capabilities = [\"read\"]\r\n}\r\n"}, want{"k": "read"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			checkCapabilities(t, mustCompile(t, tt.texts...), tt.want)
		})
	}
}

func checkCapabilities(t *testing.T, a *ACL, w want) {
	t.Helper()
	for path, want := range w {
		if got := strings.Join(a.Capabilities(path), ","); got != want {
			t.Errorf("%q: %s, want %s", path, got, want)
		}
	}
}

// TestSegments is about "+", and about which of several patterns wins.
func TestSegments(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		rules []string
		want  want
	}{
		{"inside", []string{"kv/+/x read"}, want{"kv/a/x": "read", "kv//x": "read", "kv/a/b/x": "deny", "kv/x": "deny", "kv/a/y": "deny", "kv/a/x/": "read", "k/a/x": "deny"}},
		{"at the end", []string{"kv/+ read"}, want{"kv/a": "read", "kv/": "read", "kv/a/b": "deny", "kv": "deny"}},
		{"at the start", []string{"+/x read"}, want{"a/x": "read", "a/y": "deny", "x": "deny"}},
		{"alone", []string{"+ read"}, want{"kv": "read", "": "read", "kv/a": "deny"}},
		{"several", []string{"+/+/c read"}, want{"a/b/c": "read", "b/c": "deny", "a/b/c/d": "deny"}},
		{"then a slash and a glob", []string{"kv/+/x/* read"}, want{"kv/a/x/y": "read", "kv/a/x/y/z": "read", "kv/a/x/": "read", "kv/a/x": "deny", "kv/a/b/x/y": "deny"}},
		{"then a part and a glob", []string{"kv/+/x* read"}, want{"kv/a/x": "read", "kv/a/xy": "read", "kv/a/xy/z": "read", "kv/a/y": "deny"}},
		{"then a glob", []string{"kv/+/* read"}, want{"kv/a/x": "read", "kv/a/x/y": "read", "kv/a/": "read", "kv/a": "deny"}},
		{"a plus in a word is a letter", []string{"kv/a+ read", "a+b/x* update"}, want{"kv/a+": "read", "kv/ab": "deny", "a+b/xy": "update", "ab/x": "deny"}},
		{"a word that begins with plus", []string{"kv/+a/+ read"}, want{"kv/+a/b": "read", "kv/xa/b": "deny"}},

		{"the later first wildcard: plus", []string{"kv/+/x read", "kv/a/+ update"}, want{"kv/a/x": "update", "kv/b/x": "read"}},
		{"the later first wildcard: glob", []string{"kv/+/x read", "kv/a/* update"}, want{"kv/a/x": "update", "kv/b/x": "read"}},
		{"the later first wildcard: plus after glob", []string{"kv/* read", "kv/a/+ update"}, want{"kv/a/x": "update", "kv/b": "read"}},
		{"no glob at the end: two plus", []string{"kv/+/* read", "kv/+/x update"}, want{"kv/a/x": "update", "kv/a/y": "read"}},
		{"no glob at the end: prefix", []string{"kv/* read", "kv/+ update"}, want{"kv/a": "update", "kv/a/b": "read"}},
		{"no glob at the end, in spite of more plus", []string{"kv/+/x* read", "kv/+/+ update"}, want{"kv/a/xy": "update"}},
		{"fewer plus", []string{"+/+/c read", "+/b/c update"}, want{"a/b/c": "update", "a/x/c": "read"}},
		{"fewer plus: a prefix has none", []string{"kv/* read", "kv/+/x* update"}, want{"kv/a/xy": "read"}},
		{"the longer", []string{"kv/+/a* read", "kv/+/ab* update"}, want{"kv/x/abc": "update", "kv/x/ac": "read"}},
		{"the longer, though the other is greater", []string{"kv/+/+/ccc read", "kv/+/b/+ update"}, want{"kv/x/b/ccc": "read", "kv/x/b/c": "update"}},
		{"the greater", []string{"kv/+/+/a read", "kv/+/b/+ update", "kv/+/a/+ delete"}, want{"kv/x/b/a": "update", "kv/x/a/a": "delete", "kv/x/c/a": "read"}},
		{"exact over all", []string{"kv/a read", "kv/+ update", "kv/a* delete"}, want{"kv/a": "read"}},
		{"deny of the winner", []string{"kv/* read", "kv/+/x deny"}, want{"kv/a/x": "deny", "kv/a/y": "read"}},
		{"deny of a loser", []string{"kv/+/x deny", "kv/a/* read"}, want{"kv/a/x": "read", "kv/b/x": "deny"}},
		{"a loser is not added", []string{"kv/+/x read", "kv/a/+ update", "kv/* list"}, want{"kv/a/x": "update"}},
		{"a word with plus counts as wildcard", []string{"kv/+a/* read", "kv/* update"}, want{"kv/+a/b": "read", "kv/xa/b": "update"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			// Each rule as a policy of its own, in both orders: the order must not matter.
			var texts, reversed []string
			for _, r := range tt.rules {
				texts = append(texts, rules(r))
				reversed = append([]string{rules(r)}, reversed...)
			}
			checkCapabilities(t, mustCompile(t, rules(tt.rules...)), tt.want)
			checkCapabilities(t, mustCompile(t, texts...), tt.want)
			checkCapabilities(t, mustCompile(t, reversed...), tt.want)
		})
	}
}

// TestList is about listing a folder, for which rules with and without the slash count.
func TestList(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		rules []string
		want  map[string]bool
	}{
		{"exact with its slash", []string{"kv/a/ list"}, map[string]bool{"kv/a/": true, "kv/a": false}},
		{"exact without", []string{"kv/a list"}, map[string]bool{"kv/a/": true, "kv/a": true, "kv/a//": false}},
		{"the one with the slash counts first", []string{"kv/a/ read", "kv/a list"}, map[string]bool{"kv/a/": false}},
		{"prefix with its slash", []string{"kv/a/* list"}, map[string]bool{"kv/a/": true}},
		{"plus without the slash", []string{"kv/+ list"}, map[string]bool{"kv/a/": true, "kv/a": true, "kv/a/b/": false}},
		{"plus with the slash", []string{"kv/+/ list"}, map[string]bool{"kv/a/": true, "kv/a": false}},
		{"deny below", []string{"kv/* list", "kv/a/* deny"}, map[string]bool{"kv/a/": false, "kv/b/": true}},
		{"deny below, plus above", []string{"kv/+ list", "kv/a/* deny"}, map[string]bool{"kv/a/": false, "kv/b/": true}},
		{"list below a deny", []string{"kv/* deny", "kv/a/* list"}, map[string]bool{"kv/a/": true, "kv/b/": false}},
		{"list below a read", []string{"kv/* read", "kv/a/* list"}, map[string]bool{"kv/a/": true, "kv/b/": false}},
		{"read below a list", []string{"kv/+ list", "kv/a/* read"}, map[string]bool{"kv/a/": true}},
		{"exact deny without the slash", []string{"kv/* list", "kv/a deny"}, map[string]bool{"kv/a/": false}},
		{"no list at all", []string{"kv/* read", "kv/+ update"}, map[string]bool{"kv/a/": false}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := mustCompile(t, rules(tt.rules...))
			for path, want := range tt.want {
				if got := a.Allowed(Request{Op: List, Path: path}).Allowed; got != want {
					t.Errorf("LIST %q: %v, want %v", path, got, want)
				}
			}
		})
	}
	if a := mustCompile(t, rules("kv/a read")); a.Allowed(Request{Op: Read, Path: "kv/a/"}).Allowed {
		t.Error("a read of kv/a/ was allowed by a rule for kv/a")
	}
}

func TestOperations(t *testing.T) {
	t.Parallel()
	ops := map[string]Operation{"create": Create, "read": Read, "update": Update, "delete": Delete, "list": List, "patch": Patch, "recover": Recover}
	for granted := range ops {
		a := mustCompile(t, rules("k "+granted))
		for asked, op := range ops {
			if got := a.Allowed(Request{Op: op, Path: "k"}); got != (Decision{Allowed: granted == asked}) {
				t.Errorf("%s with %s: %+v", asked, granted, got)
			}
		}
		if got := a.Allowed(Request{Op: 99, Path: "k"}); got.Allowed {
			t.Errorf("an unknown operation was allowed with %s", granted)
		}
	}
	a := mustCompile(t, rules("all create,read,update,delete,list,patch,recover,subscribe,sudo", "no deny", "sudo sudo"))
	for _, tt := range []struct {
		name string
		r    Request
		want Decision
	}{
		{"sudo alone", Request{Op: Update, Path: "sudo"}, Decision{Sudo: true}},
		{"sudo and more", Request{Op: Update, Path: "all"}, Decision{Allowed: true, Sudo: true}},
		{"deny", Request{Op: Read, Path: "no"}, Decision{}},
		{"no rule", Request{Op: Read, Path: "other"}, Decision{}},
		{"help", Request{Op: Help, Path: "no"}, Decision{Allowed: true, Sudo: true}},
		{"no operation", Request{Path: "all"}, Decision{Sudo: true}},
	} {
		if got := a.Allowed(tt.r); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestRoot(t *testing.T) {
	t.Parallel()
	a := Compile(append(mustParse(t, rules("k deny")), policy.Policy{Name: policy.Root}))
	checkCapabilities(t, a, want{"k": "root", "": "root"})
	if got := a.Allowed(Request{Op: Delete, Path: "k"}); got != (Decision{Allowed: true, Root: true, Sudo: true}) {
		t.Errorf("%+v", got)
	}
	checkCapabilities(t, Compile(nil), want{"k": "deny"})
}

// TestDefaultPolicy holds the rights of the built-in default policy.
func TestDefaultPolicy(t *testing.T) {
	t.Parallel()
	checkCapabilities(t, mustCompile(t, DefaultPolicyText), want{
		"auth/token/lookup-self": "read", "auth/token/renew-self": "update", "auth/token/revoke-self": "update",
		"sys/capabilities-self": "update", "sys/internal/ui/resultant-acl": "read", "sys/renew": "update",
		"sys/leases/renew": "update", "sys/leases/lookup": "update", "cubbyhole/a/b": "create,delete,list,read,update",
		"sys/wrapping/wrap": "update", "sys/wrapping/lookup": "update", "sys/wrapping/unwrap": "update",
		"sys/tools/hash": "update", "sys/tools/hash/sha2-256": "update", "sys/control-group/request": "update",
		"identity/oidc/provider/p/authorize": "read,update", "identity/entity/id/x": "deny", "identity/entity/name/x": "deny",
		"auth/token/create": "deny", "auth/token/lookup": "deny", "sys/capabilities": "deny", "sys/policies/acl": "deny",
		"sys/leases/revoke": "deny", "sys/leases/lookup/x": "deny", "cubbyhole": "deny", "sys/wrapping/rewrap": "deny",
	})
}
