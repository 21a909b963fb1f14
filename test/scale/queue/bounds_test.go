package queue

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"testing"
)

// TestBoundsAreTheClusters: package cluster does not export its bounds, so they are read from
// its source.
func TestBoundsAreTheClusters(t *testing.T) {
	got := integers(t, "edge.go", "proposer.go", "node.go")
	for name, want := range map[string]int64{
		"batchesInFlight": batchesInFlight, "batchItems": batchItems,
		"entriesInFlight": entriesInFlight, "pipelinedItems": pipelinedItems, "entryItems": entryItems,
		"MaxAppendEntries": appendEntries,
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s is %d here, in package cluster %d (%t)", name, want, v, ok)
		}
	}
}

// integers are what files of package cluster write out as one, for a constant or a field.
func integers(t *testing.T, files ...string) map[string]int64 {
	t.Helper()
	all := map[string]int64{}
	note := func(name *ast.Ident, value ast.Expr) {
		if lit, ok := value.(*ast.BasicLit); ok && lit.Kind == token.INT {
			n, err := strconv.ParseInt(lit.Value, 0, 64)
			if err != nil {
				t.Fatal(err)
			}
			all[name.Name] = n
		}
	}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", "..", "..", "cluster", name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				for i, v := range n.Values {
					note(n.Names[i], v)
				}
			case *ast.AssignStmt:
				if to, ok := n.Lhs[0].(*ast.SelectorExpr); ok {
					note(to.Sel, n.Rhs[0])
				}
			}
			return true
		})
	}
	return all
}
