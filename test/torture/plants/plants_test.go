package plants

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"ciderd/test/overlay"
)

const root = "../../.."

// Each plant fits the sources as they are: alone, with the clock that torture moves, and with all others.
// That they compile is for make lint to find out, and that they are caught for make torture-plants.
func TestPlantsFit(t *testing.T) {
	for _, p := range All {
		if _, err := overlay.Write(root, t.TempDir(), p.Change); err != nil {
			t.Errorf("alone: %v", err)
		}
		if _, err := overlay.Write(root, t.TempDir(), with([]Plant{p})...); err != nil {
			t.Errorf("with the clock: %v", err)
		}
	}
	if _, err := overlay.Write(root, t.TempDir(), with(All)...); err != nil {
		t.Errorf("all at once: %v", err)
	}
}

func TestPlantsAreWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range All {
		if p.Name == "" || p.Does == "" || seen[p.Name] || len(p.Edits) == 0 || len(p.CaughtBy) == 0 {
			t.Errorf("%q has no name of its own, or says not what it does, changes nothing or is caught by nothing", p.Name)
		}
		seen[p.Name] = true
		for _, c := range p.CaughtBy {
			if (c.Package == "") == (c.Faults == "") || (c.Faults == "") != (c.Rounds == 0) {
				t.Errorf("%s: neither rounds of torture nor tests: %+v", p.Name, c)
			}
		}
		if got, err := Named(p.Name); err != nil || len(got) != 1 || got[0].Name != p.Name {
			t.Errorf("%s is not found by its name: %v, %v", p.Name, got, err)
		}
	}
	if _, err := Named("weed"); err == nil {
		t.Error("a name that is no plant's is taken")
	}
}

// The README of torture has a row for each, which tells besides what was seen to catch it.
func TestPlantsInREADME(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "| plant |")
	table, _, _ = strings.Cut(table, "\n\n")
	for _, p := range All {
		if row := fmt.Sprintf("\n| %s | %s |", p.Name, p.Does); !strings.Contains(table, row) {
			t.Errorf("README.md lacks a row that begins with%s", row)
		}
	}
	if rows := strings.Count(table, "\n") - 1; rows != len(All) {
		t.Errorf("README.md has %d rows for %d plants", rows, len(All))
	}
}
