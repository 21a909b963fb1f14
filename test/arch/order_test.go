package arch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// ordered are the packages in which the order of a map must not reach state, a result
// or bytes. A range over a map there says in a comment "// order: why" it does not.
const ordered = "./fsm/... ./snapshot"

// goPackage is what `go list -json` says about a package.
type goPackage struct {
	ImportPath string
	Dir        string
	Export     string
	GoFiles    []string
	DepOnly    bool
}

// list asks the go tool for packages and what they import, with compiled type information.
func list(patterns ...string) ([]goPackage, error) {
	dir, err := root()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("go", append([]string{"list", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles,DepOnly"}, patterns...)...)
	cmd.Dir = dir
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil, fmt.Errorf("go list: %w\n%s", err, exit.Stderr)
	} else if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var all []goPackage
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := d.Decode(&p); err == io.EOF {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("output of go list: %w", err)
		}
		all = append(all, p)
	}
}

// mapRanges returns the ranges over maps, in files of one package, that give no reason.
func mapRanges(name string, files []*file, fset *token.FileSet, lookup importer.Lookup) ([]string, error) {
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	conf := types.Config{Importer: importer.ForCompiler(fset, "gc", lookup)}
	var asts []*ast.File
	for _, f := range files {
		asts = append(asts, f.ast)
	}
	if _, err := conf.Check(name, fset, asts, info); err != nil {
		return nil, fmt.Errorf("checking types: %w", err)
	}
	var found []string
	for _, f := range files {
		excused := f.reasons()
		ast.Inspect(f.ast, func(n ast.Node) bool {
			r, ok := n.(*ast.RangeStmt)
			if !ok {
				return true
			}
			if _, ok := info.TypeOf(r.X).Underlying().(*types.Map); ok && !excused[f.line(r)] {
				found = append(found, f.at(r, "range over a map: sort its keys, or say \"// order: …\" why none is needed"))
			}
			return true
		})
	}
	return found, nil
}

// reasons returns the lines that a comment "// order: …" speaks of: its own and the next.
func (f *file) reasons() map[int]bool {
	lines := map[int]bool{}
	for _, group := range f.ast.Comments {
		for _, c := range group.List {
			if reason, ok := strings.CutPrefix(c.Text, "// order: "); ok && len(reason) > 3 {
				lines[f.line(c)] = true
				lines[f.line(c)+1] = true
			}
		}
	}
	return lines
}

// lookupExport reads the compiled type information of what the packages import.
func lookupExport(all []goPackage) importer.Lookup {
	exports := map[string]string{}
	for _, p := range all {
		exports[p.ImportPath] = p.Export
	}
	return func(name string) (io.ReadCloser, error) {
		if exports[name] == "" {
			return nil, fmt.Errorf("no type information for %s", name)
		}
		return os.Open(exports[name])
	}
}

func TestMapOrder(t *testing.T) {
	all, err := list(strings.Fields(ordered)...)
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, p := range all {
		if p.DepOnly {
			continue
		}
		checked++
		fset := token.NewFileSet()
		var files []*file
		for _, name := range p.GoFiles {
			text, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			f, err := parseInto(fset, strings.TrimPrefix(p.ImportPath, module+"/")+"/"+name, text)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
		}
		found, err := mapRanges(p.ImportPath, files, fset, lookupExport(all))
		if err != nil {
			t.Fatal(err)
		}
		for _, finding := range found {
			t.Error(finding)
		}
	}
	if checked < 4 {
		t.Errorf("%d packages checked: the list is broken", checked)
	}
}

func TestMapOrderCanFail(t *testing.T) {
	const start = "package p\ntype set map[int]bool\nfunc f(m set) int {\n"
	for name, c := range map[string]struct {
		body string
		want int
	}{
		"map":            {"for k := range m {\nreturn k\n}\nreturn 0", 1},
		"no reason":      {"for k := range m { // order:\nreturn k\n}\nreturn 0", 1},
		"reason behind":  {"for k := range m { // order: any will do\nreturn k\n}\nreturn 0", 0},
		"reason above":   {"// order: any will do\nfor k := range m {\nreturn k\n}\nreturn 0", 0},
		"reason too far": {"// order: any will do\n\n\nfor k := range m {\nreturn k\n}\nreturn 0", 1},
		"slice":          {"for k := range []int{1} {\nreturn k\n}\nreturn 0", 0},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := parse("fsm/a.go", []byte(start+c.body+"\n}\n"))
			if err != nil {
				t.Fatal(err)
			}
			found, err := mapRanges("p", []*file{f}, f.fset, lookupExport(nil))
			if err != nil {
				t.Fatal(err)
			}
			if len(found) != c.want {
				t.Errorf("%d findings %v, want %d", len(found), found, c.want)
			}
		})
	}
}
