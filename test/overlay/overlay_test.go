package overlay

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../.."

// A program that is as small as can be: what it prints tells which change it has.
func program(t *testing.T) (root string) {
	t.Helper()
	root = t.TempDir()
	for path, text := range map[string]string{
		"go.mod":      "module program\n\ngo 1.21\n",
		"main.go":     "package main\n\nfunc main() { println(word, word) }\n",
		"sub/word.go": "package sub\n",
		"word.go":     "package main\n\nconst word = \"cider\"\n",
	} {
		if err := write(filepath.Join(root, path), []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestGo(t *testing.T) {
	root := program(t)
	louder := Change{Name: "louder", Edits: []Edit{{"word.go", `"cider"`, `"CIDER" + mark`}}, Adds: []File{{"mark.go", "package main\n\nconst mark = \"!\"\n"}}}
	loudest := Change{Name: "loudest", Edits: []Edit{{"word.go", `"CIDER"`, `"CIDER!"`}}}
	for want, changes := range map[string][]Change{
		"cider cider\n":     nil,
		"CIDER! CIDER!\n":   {louder},
		"CIDER!! CIDER!!\n": {louder, loudest}, // on top of what the first has left
	} {
		if got, err := Go(t.Context(), root, changes, "run", "."); err != nil || got != want {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
	}
	if text, err := os.ReadFile(filepath.Join(root, "word.go")); err != nil || !strings.Contains(string(text), "cider") {
		t.Errorf("the sources have become %q, %v", text, err)
	}
	if _, err := os.Stat(filepath.Join(root, "mark.go")); !os.IsNotExist(err) {
		t.Errorf("a file was left in the sources: %v", err)
	}
}

// A change that does not fit, or does not compile, says which it is.
func TestWhatDoesNotFit(t *testing.T) {
	root := program(t)
	for name, c := range map[string]struct {
		change Change
		want   string
	}{
		"text that is gone":    {Change{Edits: []Edit{{"word.go", "wine", "cider"}}}, "0 times"},
		"text that is twice":   {Change{Edits: []Edit{{"main.go", "word", "mark"}}}, "2 times"},
		"a file that is gone":  {Change{Edits: []Edit{{"gone.go", "word", "mark"}}}, "no such file"},
		"a file that is there": {Change{Adds: []File{{"word.go", "package main\n"}}}, "there is such a file"},
		"no Go":                {Change{Edits: []Edit{{"word.go", "const", "konst"}}}, "syntax error"},
	} {
		c.change.Name = "the-change"
		_, err := Go(t.Context(), root, []Change{c.change}, "build", "-o", os.DevNull, ".")
		if err == nil || !strings.Contains(err.Error(), c.change.Name) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want the change's name and %q", name, err, c.want)
		}
	}
}

// The changes fit the program, and do what they say: each brings a test into the package that it changes.
func TestChanges(t *testing.T) {
	for _, c := range []struct {
		change         Change
		test, packages string
	}{
		{MovableClock, "^TestSkew$", "./internal/clock"},
	} {
		t.Run(c.change.Name, func(t *testing.T) {
			output, err := Go(t.Context(), root, []Change{c.change}, "test", "-v", "-run", c.test, c.packages)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(output, "--- PASS: "+strings.Trim(c.test, "^$")) {
				t.Errorf("no such test has run:\n%s", output)
			}
		})
	}
}

// The names of the variables stand in both: what is added to the program is no package that could be imported.
func TestVariables(t *testing.T) {
	for variable, text := range map[string]string{ClockFile: clockSkew} {
		if !strings.Contains(text, `"`+variable+`"`) {
			t.Errorf("%s is in no file that is added", variable)
		}
	}
}
