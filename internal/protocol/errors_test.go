package protocol

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Every code that there is stands in the table once.
func TestErrorTable(t *testing.T) {
	file, err := parser.ParseFile(gotoken.NewFileSet(), "request.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	codes := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || spec.Type == nil {
			return true
		}
		if id, ok := spec.Type.(*ast.Ident); !ok || id.Name != "Code" {
			return true
		}
		code, _ := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		codes++
		if !slices.ContainsFunc(errorCodes, func(e ErrorCode) bool { return string(e.Code) == code }) {
			t.Errorf("%s is not in the table", code)
		}
		return true
	})
	if codes != len(errorCodes) || codes < 20 {
		t.Errorf("%d codes, %d in the table", codes, len(errorCodes))
	}
}

// The document has every row of the table, as it stands here.
func TestErrorsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	words := []string{"change it", "to another node, or here later", "again after a moment", "again once there is room", "not known", "connect again"}
	for _, e := range errorCodes {
		closes := ""
		if e.Closes {
			closes = "yes"
		}
		row := "| `" + string(e.Code) + "` | " + e.Meaning + " | " + words[e.Advice] + " | " + closes + " |\n"
		if !strings.Contains(string(text), row) {
			t.Errorf("docs/errors.md has no row\n%s", row)
		}
	}
}
