//go:build linux

package sockeye_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"testing"

	"sockeye"
)

func TestOptionsListsEveryOptionThatIsDeclared(t *testing.T) {
	listed := make(map[string]bool)
	for _, o := range sockeye.Options() {
		listed[o.String()] = true
	}
	files, err := filepath.Glob("options_*.go")
	if err != nil {
		t.Fatal(err)
	}
	declared := 0
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			if !ok || len(v.Values) != 1 {
				return true
			}
			if _, ok := v.Values[0].(*ast.CompositeLit); ok {
				declared++
				if name := v.Names[0].Name; !listed[name] {
					t.Errorf("%s is declared and not listed", name)
				}
			}
			return true
		})
	}
	if declared != len(listed) {
		t.Errorf("%d options are declared, %d listed", declared, len(listed))
	}
}
