package arch

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// coreImports is the part of the standard library that has no place in fsm and its leaves:
// I/O, clocks, randomness, concurrency, logs. Packages below a name are meant too.
var coreImports = []string{
	"context", "crypto/rand", "database", "embed", "expvar", "flag", "io/fs", "io/ioutil", "log", "math/rand",
	"net", "os", "path/filepath", "plugin", "runtime", "sync", "syscall", "testing", "text/template", "html/template",
}

var coreImportRule = rule{
	name: "core imports",
	check: func(f *file) []string {
		if f.isTest() || !f.in("fsm") {
			return nil
		}
		var found []string
		for _, im := range f.ast.Imports {
			target := strings.Trim(im.Path.Value, `"`)
			for _, bad := range coreImports {
				if target == bad || strings.HasPrefix(target, bad+"/") {
					found = append(found, f.at(im, "the core must not import %s", target))
				}
			}
		}
		return found
	},
	bad: []snippet{
		{"fsm/a.go", `import "math/rand/v2"`},
		{"fsm/a.go", `import "crypto/rand"`},
		{"fsm/token/a.go", `import "sync/atomic"`},
		{"fsm/a.go", `import "log/slog"`},
		{"fsm/a.go", `import "context"`},
		{"fsm/forest/a.go", `import "net/netip"`},
		{"fsm/forest/a.go", `import "os"`},
	},
	good: []snippet{
		{"fsm/a.go", `import ("time"; "io"; "crypto/hmac"; "maps"; "slices")`},
		{"fsm/a_test.go", `import "math/rand/v2"`},
		{"cluster/a.go", `import "sync"`},
	},
}

// coreCalls are the functions of packages that the core may import but for these.
var coreCalls = map[string][]string{
	"time": {"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker", "LoadLocation", "Local"},
	"fmt":  {"Print", "Printf", "Println", "Scan", "Scanf", "Scanln"},
	"maps": {"Keys", "Values", "All"}, // see sortsAtOnce
}

// sortsAtOnce are the calls that take a map's keys or values and put them in order.
var sortsAtOnce = []string{"Sorted", "SortedFunc"}

var coreCallRule = rule{
	name: "core calls",
	check: func(f *file) []string {
		if f.isTest() || !f.in("fsm", "snapshot") {
			return nil
		}
		var found []string
		sorted := map[ast.Node]bool{}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && isSelector(call.Fun, "slices", sortsAtOnce) && len(call.Args) > 0 {
				if inner, ok := call.Args[0].(*ast.CallExpr); ok {
					sorted[inner.Fun] = true
				}
			}
			for pkg, names := range coreCalls { // order: findings only
				if isSelector(n, pkg, names) && !sorted[n] {
					found = append(found, f.at(n, "the core must not use %s.%s here", pkg, n.(*ast.SelectorExpr).Sel.Name))
				}
			}
			return true
		})
		return found
	},
	bad: []snippet{
		{"fsm/a.go", `func f() { _ = time.Now() }`},
		{"fsm/a.go", `var now = time.Now`},
		{"fsm/role/a.go", `func f() { <-time.After(1) }`},
		{"fsm/a.go", `func f() { fmt.Println(1) }`},
		{"fsm/a.go", `func f(m map[int]int) { for k := range maps.Keys(m) { _ = k } }`},
		{"snapshot/a.go", `func f(m map[int]int) []int { return slices.Collect(maps.Values(m)) }`},
	},
	good: []snippet{
		{"fsm/a.go", `func f() { _ = time.Unix(0, 0); _ = fmt.Sprint(1) }`},
		{"fsm/a.go", `func f(m map[int]int) []int { return slices.Sorted(maps.Keys(m)) }`},
		{"fsm/a.go", `func f(m map[int]int) []int { return slices.SortedFunc(maps.Keys(m), cmp.Compare) }`},
		{"cluster/a.go", `func f() { _ = time.Now() }`},
	},
}

// isSelector reports whether n is pkg.name with one of the names.
func isSelector(n ast.Node, pkg string, names []string) bool {
	sel, ok := n.(*ast.SelectorExpr)
	if !ok || !slices.Contains(names, sel.Sel.Name) {
		return false
	}
	id, ok := sel.X.(*ast.Ident)
	return ok && id.Name == pkg
}

var coreSyntaxRule = rule{
	name: "core without goroutines and channels",
	check: func(f *file) []string {
		if f.isTest() || !f.in("fsm") {
			return nil
		}
		var found []string
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				found = append(found, f.at(n, "a goroutine in the core"))
			case *ast.ChanType, *ast.SelectStmt, *ast.SendStmt:
				found = append(found, f.at(n, "a channel in the core"))
			case *ast.UnaryExpr:
				if n.Op == token.ARROW {
					found = append(found, f.at(n, "a channel in the core"))
				}
			}
			return true
		})
		return found
	},
	bad: []snippet{
		{"fsm/a.go", `func f() { go f() }`},
		{"fsm/a.go", `var c chan int`},
		{"fsm/policy/a.go", `func f() { select {} }`},
		{"fsm/a.go", `func f() { c <- 1 }`},
		{"fsm/a.go", `func f() int { return <-c }`},
	},
	good: []snippet{
		{"fsm/a.go", `func f() { defer f() }`},
		{"fsm/a_test.go", `func f() { go f() }`},
		{"cluster/a.go", `func f() { go f() }`},
	},
}

var registrationRule = rule{
	name: "no init functions",
	check: func(f *file) []string {
		var found []string
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				found = append(found, f.at(fn, "an init function: a literal table says what there is"))
			}
		}
		return found
	},
	bad: []snippet{
		{"fsm/a.go", `func init() {}`},
		{"httpapi/a.go", `func init() { register(1) }`},
	},
	good: []snippet{
		{"fsm/a.go", `func (m *Machine) init() {}`},
		{"fsm/a.go", `func initialize() {}`},
	},
}

var numberRule = rule{
	name: "numbers on disk and wire are written out",
	check: func(f *file) []string {
		if !f.in("fsm", "snapshot", "cluster") {
			return nil
		}
		var found []string
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && id.Name == "iota" {
				found = append(found, f.at(n, "iota: a line that moves would change what is on disk"))
			}
			return true
		})
		return found
	},
	bad: []snippet{
		{"fsm/a.go", "const (\n\ta = iota\n\tb\n)"},
		{"cluster/a.go", `const flag = 1 << iota`},
	},
	good: []snippet{
		{"fsm/a.go", `const a = 1 // not iota`},
		{"cmd/grove/a.go", `const a = iota`},
	},
}

var raftClockRule = rule{
	name: "raft's clock is not the cluster's",
	check: func(f *file) []string {
		var found []string
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "AppendedAt" {
				found = append(found, f.at(n, "Log.AppendedAt is not in the entry: replicas would differ"))
			}
			return true
		})
		return found
	},
	bad:  []snippet{{"cluster/a.go", `func f(l *raft.Log) time.Time { return l.AppendedAt }`}},
	good: []snippet{{"cluster/a.go", `func f(l *raft.Log) uint64 { return l.Index }`}},
}
