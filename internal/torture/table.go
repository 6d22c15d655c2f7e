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
)

// holds says what must hold under a fault besides all that is judged in every round. Table prints it,
// and README.md has that table.
var holds = map[string]string{
	"kill-leader":        "no error on the others; writes go on there",
	"kill-follower":      "no error on the others; writes go on there",
	"kill-two":           "",
	"kill-all":           "",
	"pause-leader":       "no error on the others",
	"pause-follower":     "no error on the others",
	"pause-storm":        "a SYNC that the deposed leader answers is not stale (16 connections have a SYNC and a GET waiting)",
	"restart-storm":      "exit code 0; no error on any other node",
	"log-stuck":          "it serves and leads on, and ends with exit code 0; no error on any other node, nor on it between the two SIGTERMs",
	"wipe":               "admitted, and a voter again, by itself",
	"transfer-storm":     "each is made; no error anywhere",
	"member-replace":     "the removed process ends by itself with exit code 65 and says why; no error on the others; all list all as voters in the end",
	"member-dead":        "what would cost the quorum is refused; the removed node ends by itself with exit code 65 and says why; no error on the others; all list all as voters in the end",
	"member-new":         "let in without a vote, with all that is there, then a voter; taken out, it ends by itself with exit code 65 and says why; exit code 0 at each stop; no error on any other node; all list all as voters, with it and after it",
	"clock-jump":         "nobody notices: no error anywhere, no key with a deadline goes early or late",
	"clock-restart":      "no error on the others; no key with a deadline goes early or late",
	"clock-kill-all":     "time goes on by the clocks of a majority, or from the log's last stamp, and never back",
	"power-loss":         "",
	"power-loss-one":     "no error on the others",
	"power-torn":         "each start is a start: nothing that was not synced looks like damage",
	"power-torn-one":     "the same; no error on the others",
	"partition-leader":   "the others go on without error; the cut one serves reads",
	"partition-follower": "the others go on without error; the cut one serves reads",
	"partition-deaf":     "the others go on without error",
	"partition-mute":     "the others go on without error",
	"partition-partial":  "a third goes on without error",
	"partition-ring":     "five nodes only",
	"partition-halves":   "five nodes only; the three go on without error; the two serve reads, and a write there ends in NO_LEADER or TIMEOUT",
	"loss":               "",
	"large-drop":         "",
	"garbage":            "nobody notices: no error anywhere",
	"replay":             "no error on the others",
	"replay-install":     "what the follower serves does not go back; no error on the others",
	"disk-full":          "the node lives and serves reads",
	"disk-full-all":      "SET is refused MEMORY_FULL, DELETE is done, reads are served, all live",
	"disk-hang":          "the others go on without error",
	"disk-hang-end":      "within 5 s of hanging (30 s if it does not lead), and 10 s more, the process says so in its last line and is over; no error on the others, which elect and go on; thawed, it is gone by itself with exit code 1, and starts again",
	"disk-slow":          "no error on the others",
	"fsync-error":        "the process ends at once, without a panic; no error on the others",
	"snapshot-install":   "it catches up under load",
	"snapshot-live":      "its reads never go back, nor show anything in between",
	"file-truncated":     "it refuses, with exit code 65, naming the file, without a panic; or serves what is right. Then it is wiped and comes back",
	"file-flipped":       "it refuses, with exit code 65, naming the file, without a panic; or, if no meta page was hit, serves what is right. Then it is wiped and comes back",
}

// List prints the faults and how each is made.
func List(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	for _, f := range faults() {
		fmt.Fprintf(w, "%s\t%s\n", f.name, f.how)
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
	for _, f := range faults() {
		fmt.Fprintf(out, "| %s | %s | %s | %d |\n", f.name, f.how, holds[f.name], rounds[f.name])
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
