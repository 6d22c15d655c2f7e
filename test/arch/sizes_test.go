package arch_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// What one type may have of methods, and of exported ones. A type beyond that does the work of its neighbours: give some
// of it to a type of its own.
const (
	maxMethods  = 32
	maxExported = 14
)

// larger are the types that may have more, each with the reason. They may not grow.
var larger = map[string]struct {
	methods, exported int
	why               string
}{
	"cache.Keyspace": {26, 18, "each way to read and to change one user's items; what is done to their tables is in a type of its own"},
	"fsm.FSM":        {27, 22, "what Raft calls, and each question that readers ask of the state without a lock"},
	"session.Direct": {20, 20, "what another protocol may do and read as a session: each is a line or two"},
	"resp.Writer":    {24, 20, "one for each type of the protocol; what is written they share"},
}

// TestSizes counts the methods of each type of the program.
func TestSizes(t *testing.T) {
	methods, exported := map[string]int{}, map[string]int{}
	err := filepath.WalkDir(filepath.Join(root, "internal"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv != nil {
				name := file.Name.Name + "." + receiver(f.Recv.List[0].Type)
				methods[name]++
				if f.Name.IsExported() {
					exported[name]++
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(methods) < 100 {
		t.Fatalf("only %d types have methods", len(methods))
	}
	for name, n := range methods {
		limit := larger[name]
		if n > max(maxMethods, limit.methods) || exported[name] > max(maxExported, limit.exported) {
			t.Errorf("%s has %d methods, %d of them exported", name, n, exported[name])
		}
	}
	for name, l := range larger {
		if methods[name] <= maxMethods && exported[name] <= maxExported {
			t.Errorf("%s has become small enough: take it out of the table", name)
		}
		if methods[name] < l.methods || exported[name] < l.exported {
			t.Errorf("%s has %d methods, %d exported: say so in the table", name, methods[name], exported[name])
		}
	}
}

// receiver is the name of a method's type.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return "?"
}
