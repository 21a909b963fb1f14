package arch

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// The budgets of the house. Over budget means that a concept is hiding.
const (
	maxFunction, usualFunction = 80, 40 // lines
	maxFile, usualFile         = 500, 300
	maxFields                  = 12
	maxMethods                 = 5
)

// wideStructs may have more fields than others, each for its reason.
var wideStructs = map[string]string{
	"fsm/token.Record":  "a wire record: the fields of the token API",
	"fsm/role.Role":     "a wire record: the fields of the role API",
	"httpapi.tokenData": "a wire record: the fields of a lookup",
}

var functionRule = rule{
	name: "function budget",
	check: func(f *file) []string {
		if f.isTest() {
			return nil // a table of cases is one function
		}
		var found []string
		for _, fn := range f.functions() {
			if n := f.span(fn); n > maxFunction {
				found = append(found, f.at(fn, "%s has %d lines, at most %d", fn.Name.Name, n, maxFunction))
			}
		}
		return found
	},
	bad:  []snippet{{"fsm/a.go", "func f() {" + strings.Repeat("\n", maxFunction) + "}"}},
	good: []snippet{{"fsm/a.go", "func f() {" + strings.Repeat("\n", maxFunction-1) + "}"}},
}

func (f *file) functions() []*ast.FuncDecl {
	var fns []*ast.FuncDecl
	for _, d := range f.ast.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok {
			fns = append(fns, fn)
		}
	}
	return fns
}

var lengthRule = rule{
	name: "file budget",
	check: func(f *file) []string {
		if n := f.lines(); n > maxFile {
			return []string{fmt.Sprintf("%s: %d lines, at most %d", f.path, n, maxFile)}
		}
		return nil
	},
	bad:  []snippet{{"fsm/a_test.go", strings.Repeat("\n", maxFile)}},
	good: []snippet{{"fsm/a.go", strings.Repeat("\n", maxFile-5)}},
}

var structRule = rule{
	name: "struct budget",
	check: func(f *file) []string {
		var found []string
		for name, typ := range f.types() { // order: findings only
			st, ok := typ.(*ast.StructType)
			if !ok || f.isTest() {
				continue
			}
			if n := width(st.Fields); n > maxFields && wideStructs[f.dir()+"."+name] == "" {
				found = append(found, f.at(st, "%s has %d fields, at most %d", name, n, maxFields))
			}
		}
		return found
	},
	bad: []snippet{
		{"fsm/a.go", `type T struct { a, b, c, d, e, f, g, h, i, j, k, l, m int }`},
		{"fsm/a.go", `func f() { type T struct { a, b, c, d, e, f, g, h, i, j, k int; L; M } }`},
	},
	good: []snippet{
		{"fsm/a.go", `type T struct { a, b, c, d, e, f, g, h, i, j, k, l int }`},
		{"fsm/role/a.go", `type Role struct { a, b, c, d, e, f, g, h, i, j, k, l, m int }`},
	},
}

var interfaceRule = rule{
	name: "interface budget",
	check: func(f *file) []string {
		var found []string
		for name, typ := range f.types() { // order: findings only
			if it, ok := typ.(*ast.InterfaceType); ok && width(it.Methods) > maxMethods {
				found = append(found, f.at(it, "%s has %d methods, at most %d", name, width(it.Methods), maxMethods))
			}
		}
		return found
	},
	bad:  []snippet{{"httpapi/a.go", `type I interface { A(); B(); C(); D(); E(); F() }`}},
	good: []snippet{{"httpapi/a.go", `type I interface { A(); B(); C(); D(); E() }`}},
}

// types returns what the file declares by name, inside functions too.
func (f *file) types() map[string]ast.Expr {
	all := map[string]ast.Expr{}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if spec, ok := n.(*ast.TypeSpec); ok {
			all[spec.Name.Name] = spec.Type
		}
		return true
	})
	return all
}

// width counts fields or methods: "a, b int" are two, an embedded type is one.
func width(list *ast.FieldList) int {
	n := 0
	for _, field := range list.List {
		n += max(1, len(field.Names))
	}
	return n
}

// p90 is the value that nine of ten do not exceed.
func p90(values []int) int {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[(len(sorted)*9-1)/10]
}

func TestP90(t *testing.T) {
	for _, c := range []struct {
		values []int
		want   int
	}{
		{nil, 0},
		{[]int{7}, 7},
		{[]int{1, 2, 3, 4, 5, 6, 7, 8, 9, 99}, 9},
		{[]int{99, 2, 3, 4, 5, 6, 7, 8, 1, 98}, 98},
	} {
		if got := p90(c.values); got != c.want {
			t.Errorf("p90(%v) = %d, want %d", c.values, got, c.want)
		}
	}
}

// TestUsualSize looks at what is usual in the code that ships, not at the worst.
func TestUsualSize(t *testing.T) {
	var functions, files []int
	for _, f := range load(t) {
		if f.isTest() {
			continue
		}
		files = append(files, f.lines())
		for _, fn := range f.functions() {
			functions = append(functions, f.span(fn))
		}
	}
	if got := p90(functions); got > usualFunction {
		t.Errorf("p90 of function lengths is %d lines, at most %d", got, usualFunction)
	}
	if got := p90(files); got > usualFile {
		t.Errorf("p90 of file lengths is %d lines, at most %d", got, usualFile)
	}
	t.Logf("p90: functions %d lines, files %d lines", p90(functions), p90(files))
}

// TestWideStructsAreWide: an exception that is not needed any more goes.
func TestWideStructsAreWide(t *testing.T) {
	wide := map[string]bool{}
	for _, f := range load(t) {
		for name, typ := range f.types() { // order: a set
			if st, ok := typ.(*ast.StructType); ok && !f.isTest() && width(st.Fields) > maxFields {
				wide[f.dir()+"."+name] = true
			}
		}
	}
	for name, reason := range wideStructs { // order: findings only
		if !wide[name] {
			t.Errorf("%s (%s) is not over budget: take it off the list", name, reason)
		}
	}
}
