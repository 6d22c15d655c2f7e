//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ciderd/test/harness"
)

const dayDocument = "../../docs/day.md"

// TestOperatorsDay does what docs/day.md does, command by command, with nodes of its own, and wants what it prints there.
// A command that fails must be followed by one that shows its exit code. With RECORD=1 the document gets what is printed
// now, where that is something else; read the difference before you keep it.
func TestOperatorsDay(t *testing.T) {
	text, err := os.ReadFile(dayDocument)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	steps, printed := transcript(t, lines), map[int][]string{}
	if len(steps) < 40 {
		t.Fatalf("the document has only %d commands", len(steps))
	}
	record := os.Getenv("RECORD") != ""
	d := newDay(t, record)
	for i, s := range steps {
		shown := i+1 < len(steps) && steps[i+1].command == "echo $?"
		out, err := d.do(s, shown, record)
		switch {
		case err != nil && record:
			printed[s.line] = out
		case err != nil:
			t.Fatalf("docs/day.md, line %d: %s\n%v\nit prints\n%s", s.line, s.command, err, strings.Join(out, "\n"))
		}
	}
	if len(printed) > 0 {
		if err := os.WriteFile(dayDocument, []byte(rewritten(lines, steps, printed)), 0o666); err != nil {
			t.Fatal(err)
		}
		t.Errorf("%d outputs were recorded", len(printed))
	}
	for _, node := range []string{"cider-1", "cider-2", "cider-3"} {
		if err := harness.CheckLog(filepath.Join(d.shell.dir, "day", node+".log"), "correct-horse", "battery-staple"); err != nil {
			t.Error(err)
		}
	}
}

// day is the directory in which the document's commands are done.
type day struct {
	shell *console
	// ports are those of the document, and the ones that are used in their place.
	ports, back map[string]string
}

// newDay makes it. With the document's own ports the columns of tables are as wide as they are there.
func newDay(t *testing.T, ownPorts bool) *day {
	t.Helper()
	dir, err := os.MkdirTemp("", "ciderd-day-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		logs, _ := filepath.Glob(filepath.Join(dir, "day", "*.log"))
		harness.KeepOnFailure(t, dir, logs...)
	})
	d := &day{ports: map[string]string{}, back: map[string]string{}}
	file, err := os.ReadFile("../../configs/cluster-local.hcl")
	if err != nil {
		t.Fatal(err)
	}
	for _, port := range portPattern.FindAllString(string(file), -1) {
		switch number, _ := strconv.Atoi(port); {
		case d.ports[port] != "":
		case ownPorts:
			harness.ClaimPort(t, number)
			d.ports[port] = port
		default:
			free := strconv.Itoa(harness.FreePort(t))
			d.ports[port], d.back[free] = free, port
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "configs"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "configs", "cluster-local.hcl"), []byte(d.outside(string(file))), 0o666); err != nil {
		t.Fatal(err)
	}
	endsWithItsShell(t, dir)
	d.shell = newConsole(t, dir)
	return d
}

var portPattern = regexp.MustCompile(`\b[78][0-2]8[01]\b|\b[78][0-2]00\b`)

// outside is a text of the document with the ports that are used.
func (d *day) outside(text string) string {
	return portPattern.ReplaceAllStringFunc(text, func(port string) string {
		if other := d.ports[port]; other != "" {
			return other
		}
		return port
	})
}

// inside is what was printed, with the ports of the document.
func (d *day) inside(text string) string {
	return regexp.MustCompile(`\b\d{5}\b`).ReplaceAllStringFunc(text, func(port string) string {
		if other := d.back[port]; other != "" {
			return other
		}
		return port
	})
}

// looks are the commands that change nothing. They are done again until they print what they should: what a cluster is
// on its way to takes its time.
var looks = regexp.MustCompile(`^ciderd (status|doctor|top|member list|user list|user show|leader|inspect|cli .*-c ['"]?GET)\b`)

// do does a step. The error says how what is printed differs from the document. codeShown: the next step shows the exit
// code; otherwise it must be 0.
func (d *day) do(s step, codeShown, record bool) (out []string, err error) {
	d.shell.t.Helper()
	look := func() error {
		printed, code := d.shell.run(d.outside(s.command))
		out = nil
		for line := range strings.Lines(d.inside(printed)) {
			out = append(out, strings.TrimRight(line, " \n"))
		}
		if (code != 0) != codeShown {
			return fmt.Errorf("exit code %d", code)
		}
		return same(s.output, out)
	}
	switch {
	case !looks.MatchString(s.command):
		err = look()
	case record:
		err = harness.Until(harness.Limit/6, s.command, look)
	default:
		err = harness.Until(harness.Limit, s.command, look)
	}
	return out, err
}

// same compares what a document says with what was printed, both without what differs from run to run. A line … in the
// document stands for any lines.
func same(want, got []string) error {
	wanted, printed := masked(want), masked(got)
	for i, line := range wanted {
		if line == "…" {
			rest := wanted[i+1:]
			if n := len(printed) - len(rest); n >= i && slices.Equal(rest, printed[n:]) {
				return nil
			}
			return fmt.Errorf("the end differs: want\n%s\ngot\n%s", strings.Join(rest, "\n"), strings.Join(printed, "\n"))
		}
		if i >= len(printed) || line != printed[i] {
			return fmt.Errorf("line %d differs: want\n%s\ngot\n%s", i+1, strings.Join(wanted, "\n"), strings.Join(printed, "\n"))
		}
	}
	if len(printed) > len(wanted) {
		return fmt.Errorf("it prints more: %q", printed[len(wanted):])
	}
	return nil
}

// masks are what differs from run to run. The document tells of them in its own words.
var masks = []struct {
	find *regexp.Regexp
	put  string
}{
	{regexp.MustCompile(`/[0-9a-f]{10}\b`), "/ID"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC`), "DATE"},
	{regexp.MustCompile(`\b\d{8}T\d{6}Z\b`), "DATE"},
	{regexp.MustCompile(`\b\d+(\.\d+)? ?(B|KiB|MiB|GiB)\b`), "SIZE"},
	{regexp.MustCompile(`\b(\d+s) ago`), "TIME ago"},
	{regexp.MustCompile(`\b(p50|p99) (-|[0-9.]+(us|ms|s))`), "$1 TIME"},
	{regexp.MustCompile(`hit rate (-|[0-9.]+ %)`), "hit rate PERCENT"},
	{regexp.MustCompile(`\bentry \d+`), "entry N"},
	{regexp.MustCompile(`\bciderd \d+\.\d+\.\d+\S*`), "ciderd RELEASE"},
	// Who leads, and who is next, is chance.
	{regexp.MustCompile(`\bcider-\d (leads|led)\b`), "NODE $1"},
}

// columns are those of tables whose numbers differ from run to run, by the table's head. ROLE is who leads.
var columns = map[string][]string{
	"NODE ROLE ADDRESS STATE LAG MEM CONN OPS/S P99_R/W VER UP": {"ROLE", "MEM", "OPS/S", "P99_R/W", "VER", "UP"},
	"NAME SERVER VOTE ROLE ALIVE LAST_INDEX":                    {"ROLE", "LAST_INDEX"},
	"USER SESSIONS READS/S WRITES/S":                            {"READS/S", "WRITES/S"},
}

// chance are findings that a slow machine has besides.
var chance = regexp.MustCompile(`^advice +(\d+ changes of the leader|syncing the log takes)`)

func masked(lines []string) (all []string) {
	var head, hidden []string
	for _, line := range withoutChance(lines) {
		line = strings.Join(strings.Fields(line), " ")
		named := strings.NewReplacer("P99 R/W", "P99_R/W", "LAST INDEX", "LAST_INDEX").Replace(line)
		fields := strings.Fields(line)
		switch h, is := columns[named]; {
		case is:
			head, hidden = strings.Fields(named), h
		case len(head) > 0 && len(fields) == len(head):
			for i, column := range head {
				if slices.Contains(hidden, column) && fields[i] != "-" {
					fields[i] = "#"
				}
			}
			line = strings.Join(fields, " ")
		default:
			head = nil
		}
		for _, m := range masks {
			line = m.find.ReplaceAllString(line, m.put)
		}
		all = append(all, line)
	}
	return all
}

// withoutChance leaves out the findings of chance, with what belongs to them, and how many findings there are.
func withoutChance(lines []string) (left []string) {
	skipping := false
	for _, line := range lines {
		switch {
		case chance.MatchString(line):
			skipping = true
		case skipping && (strings.HasPrefix(line, "          ") || strings.HasPrefix(line, "why ") || strings.HasPrefix(line, "cure ")):
		case skipping && line == "" && len(left) > 0 && left[len(left)-1] == "":
			skipping = false // doctor has an empty line behind each finding
		default:
			skipping = false
			left = append(left, regexp.MustCompile(`^(\d+ findings?(, worst first)?|nothing found)$`).ReplaceAllString(line, "N findings"))
		}
	}
	return left
}
