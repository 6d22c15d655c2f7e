package fsm

import (
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"
)

// Apply must give the same on every node. What could make it differ cannot be seen in a run on one
// machine, so it is kept out of the source.
func TestNothingThatDiffersBetweenNodes(t *testing.T) {
	forbidden := map[string]string{
		"time":         "Apply has no clock: time comes with the entries, as their leader's stamps",
		"math/rand":    "Apply has no randomness: draw on the node that proposes, and put it into the command",
		"math/rand/v2": "Apply has no randomness: draw on the node that proposes, and put it into the command",
		"crypto/rand":  "Apply has no randomness: draw on the node that proposes, and put it into the command",
		"hash/maphash": "a maphash differs from process to process",
		"os":           "Apply knows nothing of its machine: what limits or shapes the state comes with the log",
		"runtime":      "Apply knows nothing of its machine: what limits or shapes the state comes with the log",
		"net":          "Apply waits for nobody",
		"log":          "nothing is logged for a command: it would be slow, and tell values",
		"log/slog":     "nothing is logged for a command: it would be slow, and tell values",
		"golang.org/x/crypto/bcrypt": "bcrypt takes 70 ms, which every node would wait in Apply: " +
			"it runs on the node that was asked",
	}
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	looked := 0
	for _, f := range files {
		name := f.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		looked++
		parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range parsed.Imports {
			path, _ := strconv.Unquote(spec.Path.Value) // the parser has read it
			if why, no := forbidden[path]; no {
				t.Errorf("%s imports %s: %s", name, path, why)
			}
		}
	}
	if looked < 10 {
		t.Errorf("looked at %d files only", looked)
	}
}
