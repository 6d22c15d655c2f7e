package torture

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTableInREADME: the faults that README.md tells of are those that there are, word for word; how
// many rounds were run, it says by itself.
func TestTableInREADME(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var table bytes.Buffer
	if err := Table(&table, ""); err != nil {
		t.Fatal(err)
	}
	rounds := regexp.MustCompile(`\| [0-9]+ \|$`)
	row := func(line string) string { return rounds.ReplaceAllString(line, "| N |") }
	_, rest, found := strings.Cut(string(readme), "| fault |")
	if !found {
		t.Fatal("README.md has no table of faults")
	}
	have, _, _ := strings.Cut("| fault |"+rest, "\n\n")
	haves, wants := strings.Split(have, "\n"), strings.Split(strings.TrimSpace(table.String()), "\n")
	for i := range max(len(haves), len(wants)) {
		switch {
		case i >= len(haves):
			t.Errorf("README.md lacks %s", wants[i])
		case i >= len(wants):
			t.Errorf("README.md has, and the code has not, %s", haves[i])
		case row(haves[i]) != row(wants[i]):
			t.Errorf("README.md has\n%s\nand the code\n%s", haves[i], wants[i])
		}
	}
	if t.Failed() {
		t.Log("go run ./test/torture/cmd -table prints it")
	}
}

func TestCountsAddUp(t *testing.T) {
	file := filepath.Join(t.TempDir(), "counts")
	for range 2 {
		var r report
		r.add("loss", row{rounds: 1})
		r.add("loss+wipe", row{rounds: 1})
		r.add("loss+kill-all", row{rounds: 2})
		if err := r.count(file); err != nil {
			t.Fatal(err)
		}
	}
	got, err := readCounts(file)
	if err != nil || len(got) != 2 || got["loss"] != 2 || got[combined] != 6 {
		t.Errorf("%v, %v", got, err)
	}
	var table bytes.Buffer
	if err := Table(&table, file); err != nil || !strings.Contains(table.String(), "| 6 |\n") {
		t.Errorf("%v\n%s", err, table.String())
	}
}
