package arch

import (
	"fmt"
	"go/ast"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var exportedRule = rule{
	name: "exported names are documented",
	check: func(f *file) []string {
		if f.isTest() {
			return nil
		}
		var found []string
		for _, d := range f.ast.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if visible(d) && !speaksOf(d.Doc, d.Name.Name) {
					found = append(found, f.at(d, "the comment of %s does not start with its name", d.Name.Name))
				}
			case *ast.GenDecl:
				found = append(found, f.undocumented(d)...)
			}
		}
		return found
	},
	bad: []snippet{
		{"fsm/a.go", `func F() {}`},
		{"fsm/a.go", "// Does things.\nfunc F() {}"},
		{"fsm/a.go", "type T struct{}"},
		{"fsm/a.go", "// T is.\ntype T struct{}\nfunc (T) M() {}"},
		{"fsm/a.go", "const A = 1"},
		{"fsm/a.go", "var (\n\ta = 1\n\tB = 2\n)"},
	},
	good: []snippet{
		{"fsm/a.go", "// F does.\nfunc F() {}"},
		{"fsm/a.go", "func f() {}"},
		{"fsm/a.go", "func (t) String() string { return \"\" }"},
		{"fsm/a.go", "// The numbers.\nconst (\n\tA = 1\n\tB = 2\n)"},
		{"fsm/a.go", "const (\n\tA = 1 // the first\n)"},
		{"fsm/a.go", "type (\n\t// A is.\n\tA int\n)"},
		{"fsm/a_test.go", `func F() {}`},
	},
}

// visible reports whether a function or method is part of its package's interface.
func visible(d *ast.FuncDecl) bool {
	if !d.Name.IsExported() {
		return false
	}
	if d.Recv == nil {
		return true
	}
	typ := d.Recv.List[0].Type
	for {
		switch t := typ.(type) {
		case *ast.StarExpr:
			typ = t.X
		case *ast.IndexExpr:
			typ = t.X
		case *ast.IndexListExpr:
			typ = t.X
		case *ast.Ident:
			return t.IsExported()
		default:
			return true
		}
	}
}

// speaksOf reports whether the comment starts with the name.
func speaksOf(doc *ast.CommentGroup, name string) bool {
	return doc != nil && regexp.MustCompile(`^(A |An |The )?`+regexp.QuoteMeta(name)+`\b`).MatchString(doc.Text())
}

func (f *file) undocumented(d *ast.GenDecl) []string {
	var found []string
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			doc := s.Doc
			if doc == nil {
				doc = d.Doc
			}
			if s.Name.IsExported() && !speaksOf(doc, s.Name.Name) {
				found = append(found, f.at(s, "the comment of %s does not start with its name", s.Name.Name))
			}
		case *ast.ValueSpec:
			exported := slices.ContainsFunc(s.Names, (*ast.Ident).IsExported)
			if exported && s.Doc == nil && s.Comment == nil && d.Doc == nil {
				found = append(found, f.at(s, "%s has no comment", s.Names[0].Name))
			}
		}
	}
	return found
}

var (
	promise      = regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b`)
	namesIssue   = regexp.MustCompile(`\bTODO\(#[0-9]+\): \S`)
	silencer     = regexp.MustCompile(`^//\s?(nolint|lint:(file-)?ignore)\b`)
	withReason   = regexp.MustCompile(`^//(nolint:[\w,]+ // \S+ \S+|lint:(file-)?ignore [\w,]+ \S+ \S+)`)
	emptyPhrases = regexp.MustCompile(`(Manager|Helper|Util|Utils|Common|Core)$`)
)

var todoRule = rule{
	name: "promises name an issue",
	check: func(f *file) []string {
		return f.comments(func(text string) string {
			if promise.MatchString(text) && !namesIssue.MatchString(text) {
				return "write TODO(#issue): what"
			}
			return ""
		})
	},
	bad: []snippet{
		{"fsm/a.go", "// " + "TODO: later"},
		{"fsm/a.go", "// FIX" + "ME(#1): later"},
		{"fsm/a.go", "func f() {} // X" + "XX"},
	},
	good: []snippet{
		{"fsm/a.go", "// TODO(#12): later"},
		{"fsm/a.go", "// nothing to do"},
	},
}

var silencerRule = rule{
	name: "a silenced check gives its reason",
	check: func(f *file) []string {
		return f.comments(func(text string) string {
			if silencer.MatchString(text) && !withReason.MatchString(text) {
				return "say why the check is silenced"
			}
			return ""
		})
	},
	bad: []snippet{
		{"fsm/a.go", "var a int //" + "nolint"},
		{"fsm/a.go", "var a int // " + "nolint:unused"},
		{"fsm/a.go", "//" + "lint:ignore U1000\nvar a int"},
	},
	good: []snippet{
		{"fsm/a.go", "var a int //nolint:unused // kept for the linker"},
		{"fsm/a.go", "//lint:ignore U1000 read by reflection only\nvar a int"},
	},
}

// comments gives every comment to judge and returns what it says against them.
func (f *file) comments(judge func(text string) string) []string {
	var found []string
	for _, group := range f.ast.Comments {
		for _, c := range group.List {
			if verdict := judge(c.Text); verdict != "" {
				found = append(found, f.at(c, "%s", verdict))
			}
		}
	}
	return found
}

var nameRule = rule{
	name: "names say something",
	check: func(f *file) []string {
		var found []string
		if name := f.ast.Name.Name; slices.Contains([]string{"util", "utils", "common", "helper", "helpers", "core", "misc", "base", "shared"}, name) {
			found = append(found, f.at(f.ast.Name, "package %s says nothing", name))
		}
		for name, typ := range f.types() { // order: findings only
			if emptyPhrases.MatchString(name) {
				found = append(found, f.at(typ, "type %s says nothing", name))
			}
		}
		return found
	},
	bad: []snippet{
		{"cluster/a.go", `type SessionManager struct{}`},
		{"cluster/a.go", `type core struct{}; type TokenCore struct{}`},
	},
	good: []snippet{{"cluster/a.go", `type Node struct{}`}},
}

var sleepRule = rule{
	name: "tests do not sleep to wait",
	check: func(f *file) []string {
		if !f.isTest() && !f.in("test") {
			return nil
		}
		loops := map[ast.Node]bool{}
		var found []string
		var walk func(n ast.Node, inLoop bool)
		walk = func(n ast.Node, inLoop bool) {
			ast.Inspect(n, func(c ast.Node) bool {
				switch c.(type) {
				case *ast.ForStmt, *ast.RangeStmt:
					if c != n && !loops[c] {
						loops[c] = true
						walk(c, true)
						return false
					}
				}
				if isSelector(c, "time", []string{"Sleep"}) && !inLoop {
					found = append(found, f.at(c, "time.Sleep outside of a loop: poll a condition with a deadline"))
				}
				return true
			})
		}
		walk(f.ast, false)
		return found
	},
	bad: []snippet{
		{"cluster/a_test.go", `func f() { time.Sleep(1) }`},
		{"test/harness/a.go", `func f() { for { }; time.Sleep(1) }`},
	},
	good: []snippet{
		{"cluster/a_test.go", `func f() { for !ok() { if late() { return }; time.Sleep(1) } }`},
		{"cluster/a.go", `func f() { time.Sleep(1) }`},
	},
}

// TestPackageComments: every package states its contract in one place.
func TestPackageComments(t *testing.T) {
	for _, finding := range packageComments(load(t)) {
		t.Error(finding)
	}
}

func TestPackageCommentsCanFail(t *testing.T) {
	with := func(path, text string) *file {
		f, err := parse(path, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	for name, c := range map[string]struct {
		files []*file
		want  int
	}{
		"none":         {[]*file{with("a/a.go", "package a")}, 1},
		"two":          {[]*file{with("a/a.go", "// Package a is.\npackage a"), with("a/b.go", "// Package a is.\npackage a")}, 1},
		"wrong start":  {[]*file{with("a/a.go", "// Stuff.\npackage a")}, 1},
		"one":          {[]*file{with("a/a.go", "// Package a is.\npackage a"), with("a/b.go", "package a")}, 0},
		"command":      {[]*file{with("cmd/a/a.go", "// Command a does.\npackage main")}, 0},
		"in its tests": {[]*file{with("a/a.go", "package a"), with("a/a_test.go", "// Package a is.\npackage a")}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := packageComments(c.files); len(got) != c.want {
				t.Errorf("%d findings %v, want %d", len(got), got, c.want)
			}
		})
	}
}

func packageComments(files []*file) []string {
	var found []string
	comments := map[string]int{}
	for _, f := range files {
		n := 0
		if f.ast.Doc != nil && !f.isTest() {
			n = 1
			start := "Package " + f.ast.Name.Name + " "
			if f.ast.Name.Name == "main" {
				start = "Command "
			}
			if !strings.HasPrefix(f.ast.Doc.Text(), start) {
				found = append(found, fmt.Sprintf("%s: the package comment does not start with %q", f.path, start))
			}
		}
		comments[f.dir()] += n
	}
	for dir, n := range comments { // order: findings only
		if n != 1 {
			found = append(found, fmt.Sprintf("%s: %d package comments, want 1", dir, n))
		}
	}
	return found
}
