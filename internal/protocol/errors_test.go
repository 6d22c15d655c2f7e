package protocol

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"os"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// Every code that there is stands in the table once, and in HELP ERRORS once, which fits a screen.
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
		if n := strings.Count(" "+strings.ReplaceAll(helpErrors, "\n", " "), " "+code+" "); n < 1 {
			t.Errorf("%s is %d times in HELP ERRORS", code, n)
		}
		return true
	})
	if codes != len(errorCodes) || codes < 20 {
		t.Errorf("%d codes, %d in the table", codes, len(errorCodes))
	}
	if lines := strings.Split(helpErrors, "\n"); len(lines) > 24 {
		t.Errorf("HELP ERRORS has %d lines", len(lines))
	}
	for line := range strings.Lines(helpErrors) {
		if n := utf8.RuneCountInString(line); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
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
