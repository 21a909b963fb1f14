package arch

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// module is the import path that go.mod declares.
const module = "github.com/tokengrove/grove"

// file is one parsed Go file. Its path is relative to the root, with slashes.
type file struct {
	path string
	fset *token.FileSet
	ast  *ast.File
	text []byte
}

// parse makes a file of Go source.
func parse(name string, text []byte) (*file, error) {
	return parseInto(token.NewFileSet(), name, text)
}

// parseInto is parse for one of several files that are checked together.
func parseInto(fset *token.FileSet, name string, text []byte) (*file, error) {
	parsed, err := parser.ParseFile(fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	return &file{path: name, fset: fset, ast: parsed, text: text}, nil
}

// dir is the package folder: "fsm/token".
func (f *file) dir() string { return path.Dir(f.path) }

// isTest reports whether only `go test` compiles the file.
func (f *file) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

// in reports whether the file is in one of the folders or below it.
func (f *file) in(folders ...string) bool {
	for _, d := range folders {
		if f.dir() == d || strings.HasPrefix(f.path, d+"/") {
			return true
		}
	}
	return false
}

// lines is the length of the file.
func (f *file) lines() int { return bytes.Count(f.text, []byte("\n")) }

func (f *file) line(n ast.Node) int { return f.fset.Position(n.Pos()).Line }

// span is the number of lines that n takes.
func (f *file) span(n ast.Node) int { return f.fset.Position(n.End()).Line - f.line(n) + 1 }

// at formats a finding at n.
func (f *file) at(n ast.Node, format string, args ...any) string {
	return fmt.Sprintf("%s:%d: %s", f.path, f.line(n), fmt.Sprintf(format, args...))
}

// root is the folder of go.mod.
var root = sync.OnceValues(func() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("no go.mod above the working directory")
		}
		dir = up
	}
})

// texts reads every file of the repository, by path, but for what git and builds keep there.
var texts = sync.OnceValues(func() (map[string][]byte, error) {
	dir, err := root()
	if err != nil {
		return nil, err
	}
	all := map[string][]byte{}
	err = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		switch {
		case d.IsDir() && (rel == ".git" || rel == "dist"):
			return filepath.SkipDir
		case !d.Type().IsRegular() || rel == "go.sum" || ignored(rel):
			return nil
		}
		all[rel], err = os.ReadFile(name)
		return err
	})
	return all, err
})

// ignored reports whether .gitignore keeps the file out of version control.
func ignored(name string) bool {
	ext := path.Ext(name)
	return name == "grove" || ext == ".test" || ext == ".out" || ext == ".prof"
}

// sources parses every Go file of the repository, in the order of paths.
var sources = sync.OnceValues(func() ([]*file, error) {
	all, err := texts()
	if err != nil {
		return nil, err
	}
	var files []*file
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if path.Ext(name) != ".go" {
			continue
		}
		f, err := parse(name, all[name])
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
})

func load(t *testing.T) []*file {
	t.Helper()
	files, err := sources()
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 20 {
		t.Fatalf("%d Go files found: the walk is broken", len(files))
	}
	return files
}
