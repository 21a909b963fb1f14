package arch

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rooms says which rooms of the house each room may enter; always itself. A leaf of fsm is
// the room "fsm/*". What is not here may import nothing of the module.
var rooms = map[string][]string{
	"cmd":      {"httpapi", "engine", "cluster", "snapshot", "fsm", "fsm/*"},
	"httpapi":  {"engine", "fsm", "fsm/*"},
	"engine":   {"fsm", "fsm/*"},
	"cluster":  {"snapshot", "fsm", "fsm/*"},
	"snapshot": {"fsm", "fsm/*"},
	"fsm":      {"fsm/*"},
	"fsm/*":    {},
	"test":     {"cmd", "httpapi", "engine", "cluster", "snapshot", "fsm", "fsm/*"},
}

// tokenTypes is the one leaf that the other leaves may import, for its ID types.
const tokenTypes = "fsm/token"

// plantedBugs is nothing in a server, and everybody may import it: mistakes for test/chaos.
const plantedBugs = "fsm/planted"

// libraries says where code of others may be imported, by the longest prefix of its path. A
// library that is not here is not agreed: add it with a reason in the DESIGN.md of its room.
// Folders below "test" may use all of them; "tests" are the _test files of every package.
var libraries = map[string][]string{
	"github.com/hashicorp/raft":               {"cluster"},
	"github.com/hashicorp/raft-boltdb":        {"cluster"},
	"github.com/hashicorp/raft-wal":           {"cluster"},
	"github.com/hashicorp/raft-autopilot":     {"cluster"},
	"github.com/hashicorp/memberlist":         {"cluster"},
	"github.com/hashicorp/yamux":              {"cluster"},
	"github.com/hashicorp/go-metrics":         {"cluster"},
	"go.etcd.io/bbolt":                        {"cluster"},
	"github.com/gorilla/mux":                  {"httpapi"},
	"github.com/hashicorp/go-hclog":           {"cmd", "cluster", "httpapi"},
	"github.com/hashicorp/hcl":                {"httpapi/acl", "cmd"},
	"github.com/fxamacker/cbor":               {"fsm", "snapshot", "cluster"},
	"github.com/hashicorp/go-immutable-radix": {"fsm/storage", "fsm/lease"},
	"github.com/klauspost/compress":           {"snapshot"},
	"github.com/spf13/cobra":                  {"cmd"},
	"github.com/schollz/progressbar":          {"cmd"},
	"github.com/HdrHistogram":                 {"cmd"},
	"gopkg.in/yaml.v3":                        {"cmd"},
	"golang.org/x/crypto":                     {"engine", "cluster/seal"},
	"github.com/coreos/go-oidc":               {"engine/jwt"},
	"golang.org/x/oauth2":                     {"engine/jwt"},
	"golang.org/x/time":                       {"engine/jwt"},
	"github.com/hashicorp/golang-lru":         {"engine/jwt"},
	"golang.org/x/sys":                        {"cmd", "test"},
	"github.com/go-jose/go-jose":              {"engine/jwt", "engine/kubernetes"},
	"github.com/zitadel/oidc":                 {"tests"},
	"github.com/chromedp/chromedp":            {"tests"},
	"github.com/hashicorp/vault/api":          {"tests"},
	"github.com/anishathalye/porcupine":       {"tests"},
	"gonum.org/v1/plot":                       {"cmd", "test"},
}

// room returns the room that a folder of the module belongs to.
func room(dir string) string {
	top, below, _ := strings.Cut(dir, "/")
	if top == "fsm" && below != "" {
		return "fsm/*"
	}
	return top
}

var importRule = rule{
	name: "import rule",
	check: func(f *file) []string {
		if f.isTest() {
			return nil // a test may look at its package from anywhere
		}
		var found []string
		for target, at := range f.imports() { // order: findings only
			inside, ok := strings.CutPrefix(target, module+"/")
			if !ok && target != module {
				continue
			}
			if !mayEnter(f.dir(), inside) {
				found = append(found, fmt.Sprintf("%s:%d: %s must not import %s", f.path, at, f.dir(), inside))
			}
		}
		return found
	},
	bad: []snippet{
		{"fsm/a.go", `import "github.com/tokengrove/grove/snapshot"`},
		{"fsm/role/a.go", `import "github.com/tokengrove/grove/fsm"`},
		{"fsm/role/a.go", `import "github.com/tokengrove/grove/fsm/policy"`},
		{"httpapi/a.go", `import "github.com/tokengrove/grove/cluster"`},
		{"httpapi/ui/a.go", `import "github.com/tokengrove/grove/snapshot"`},
		{"cluster/a.go", `import "github.com/tokengrove/grove/httpapi"`},
		{"snapshot/a.go", `import "github.com/tokengrove/grove/test/sim"`},
		{"engine/a.go", `import "github.com/tokengrove/grove/cluster"`},
		{"cmd/grove/a.go", `import "github.com/tokengrove/grove/test/sim"`},
		{"util/a.go", `import "github.com/tokengrove/grove/fsm"`},
	},
	good: []snippet{
		{"fsm/a.go", `import "github.com/tokengrove/grove/fsm/role"`},
		{"fsm/role/a.go", `import "github.com/tokengrove/grove/fsm/token"`},
		{"fsm/role/x/a.go", `import "github.com/tokengrove/grove/fsm/token"`},
		{"httpapi/a.go", `import "github.com/tokengrove/grove/httpapi/acl"`},
		{"cluster/a_test.go", `import "github.com/tokengrove/grove/httpapi"`},
		{"test/sim/a.go", `import "github.com/tokengrove/grove/snapshot"`},
		{"cmd/grove/a.go", `import "github.com/tokengrove/grove/cluster"`},
	},
}

func mayEnter(from, to string) bool {
	a, b := room(from), room(to)
	switch {
	case a == "fsm/*":
		return to == tokenTypes || to == plantedBugs
	case a == b:
		_, known := rooms[a]
		return known
	}
	return slices.Contains(rooms[a], b)
}

var libraryRule = rule{
	name: "third-party placement",
	check: func(f *file) []string {
		var found []string
		for target, at := range f.imports() { // order: findings only
			first, _, _ := strings.Cut(target, "/")
			if !strings.Contains(first, ".") || target == module || strings.HasPrefix(target, module+"/") {
				continue
			}
			if !mayUse(f, target) {
				found = append(found, fmt.Sprintf("%s:%d: %s must not import %s", f.path, at, f.dir(), target))
			}
		}
		return found
	},
	bad: []snippet{
		{"httpapi/a.go", `import "github.com/hashicorp/raft"`},
		{"fsm/a.go", `import "github.com/hashicorp/raft-boltdb/v2"`},
		{"cmd/grove/a.go", `import "github.com/hashicorp/yamux"`},
		{"cmd/grove/a.go", `import "github.com/gorilla/mux"`},
		{"snapshot/a.go", `import "github.com/hashicorp/go-hclog"`},
		{"httpapi/a.go", `import "github.com/hashicorp/hcl"`},
		{"httpapi/a.go", `import "github.com/hashicorp/vault/api"`},
		{"cluster/a.go", `import "github.com/example/unheard-of"`},
		{"fsm/role/a.go", `import "github.com/fxamacker/cbor/v2"`},
		{"fsm/role/a.go", `import "github.com/hashicorp/go-immutable-radix/v2"`},
	},
	good: []snippet{
		{"cluster/a.go", `import "github.com/hashicorp/raft"`},
		{"cluster/rpc/a.go", `import "github.com/hashicorp/yamux"`},
		{"httpapi/acl/a.go", `import "github.com/hashicorp/hcl/hcl/ast"`},
		{"httpapi/a_test.go", `import "github.com/hashicorp/vault/api"`},
		{"test/harness/a.go", `import "github.com/hashicorp/raft"`},
		{"fsm/a.go", `import "github.com/fxamacker/cbor/v2"`},
	},
}

func mayUse(f *file, target string) bool {
	allowed, agreed := libraries[agreedName(target)]
	if !agreed {
		return false
	}
	if f.in("test") || f.isTest() {
		return true
	}
	if room(f.dir()) == "fsm/*" {
		return slices.Contains(allowed, f.dir()) // a leaf that is named
	}
	return slices.ContainsFunc(allowed, func(d string) bool { return f.in(d) })
}

// agreedName returns the entry of libraries that target belongs to.
func agreedName(target string) string {
	name := ""
	for l := range libraries { // order: the longest wins, and two of one length cannot both be a prefix
		if (target == l || strings.HasPrefix(target, l+"/")) && len(l) > len(name) {
			name = l
		}
	}
	return name
}

// imports returns the paths that the file imports, with their lines.
func (f *file) imports() map[string]int {
	all := map[string]int{}
	for _, im := range f.ast.Imports {
		target, err := strconv.Unquote(im.Path.Value)
		if err != nil {
			panic(err) // the parser let it pass
		}
		all[target] = f.line(im)
	}
	return all
}

// TestRoomsAreKnown: a new folder at the top is a new room, and needs a line in rooms.
func TestRoomsAreKnown(t *testing.T) {
	known := slices.Collect(maps.Keys(rooms))
	for _, f := range load(t) {
		if !slices.Contains(known, room(f.dir())) {
			t.Errorf("%s: no room for folder %s", f.path, f.dir())
		}
	}
}
