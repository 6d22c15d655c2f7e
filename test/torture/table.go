package torture

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"

	"ciderd/test/torture/faults"
)

// List prints the faults and how each is made.
func List(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	for _, f := range faults.All() {
		fmt.Fprintf(w, "%s\t%s\n", f.Name, f.How)
	}
	_ = w.Flush()
}

// combined is the row of all combinations in the counts and the table.
const combined = "some at once"

// Table prints the table of faults as README.md has it, with the rounds that the file counts, which
// runs have added to, see Options; an empty name: with no rounds.
func Table(out io.Writer, counts string) error {
	rounds, err := readCounts(counts)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "| fault | how it is made | what must hold besides | rounds |")
	fmt.Fprintln(out, "|---|---|---|---|")
	for _, f := range faults.All() {
		fmt.Fprintf(out, "| %s | %s | %s | %d |\n", f.Name, f.How, faults.Holds[f.Name], rounds[f.Name])
	}
	fmt.Fprintf(out, "| *a*+*b*, *a*+*b*+*c* | one or two that last and one that acts, at once; %d such behind each pass over all | errors may come from anywhere; in the end all list all as voters, and all else holds | %d |\n",
		pairsDealt, rounds[combined])
	return nil
}

func readCounts(path string) (map[string]int, error) {
	rounds := map[string]int{}
	if path == "" {
		return rounds, nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return rounds, nil
	}
	if err != nil {
		return nil, err
	}
	return rounds, json.Unmarshal(text, &rounds)
}

// count adds this run's rounds to the file.
func (r *report) count(path string) error {
	if path == "" {
		return nil
	}
	rounds, err := readCounts(path)
	if err != nil {
		return err
	}
	for name, row := range r.rows {
		if strings.Contains(name, "+") {
			name = combined
		}
		rounds[name] += row.rounds
	}
	text, err := json.MarshalIndent(rounds, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o666)
}
