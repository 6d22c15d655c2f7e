package cli

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"ciderd/internal/report"
)

// tested is a program with all verbs of this package and two more, what it printed, and what was called.
func tested(t *testing.T, run func(*Call) error) (p *Program, out, errs *strings.Builder) {
	t.Helper()
	verbs := []Verb{
		{Name: "run", Summary: "run a node", Run: run},
		{Name: "two words", Args: "[-yes] A [B]", Summary: "take words and flags", Min: 1, Max: 2, Facts: true, Flags: []Flag{{Name: "yes"}}, Run: run},
		Help(),
	}
	out, errs = &strings.Builder{}, &strings.Builder{}
	verbs = append(append(append(verbs, Talk(), Bench(nil), Status(), Doctor(), Debug(), Wait(), Leader(), Reload(), Limits()), Members()...), append(append(Drain(), Users()...), Backups("1")...)...)
	return &Program{Verbs: verbs, Default: "run", In: os.Stdin, Out: out, Err: errs}, out, errs
}

// Flags may stand anywhere among the words; each mistake is named, and has its exit code.
func TestParse(t *testing.T) {
	for _, x := range []struct {
		args   string
		code   int
		called string // verb, words and flags
		said   string
	}{
		{"", 0, "run [] map[]", ""},
		{"-config f", 0, "run [] map[config:f]", ""},
		{"two words a", 0, "two words [a] map[]", ""},
		{"two words a -config f", 0, "two words [a] map[config:f]", ""},
		{"two words -config=f a -yes b", 0, "two words [a b] map[config:f yes:true]", ""},
		{"two words -yes=false a", 0, "two words [a] map[]", ""},
		{"two words a -- -yes", 0, "two words [a -yes] map[]", ""},
		{"two words a -config", 64, "", "needs an argument"},
		{"two words a -what", 64, "", "not defined: -what"},
		{"two words a -socket s", 64, "", "not defined: -socket"},
		{"two words", 64, "", "wrong number of arguments\nusage: ciderd two words [-yes] A [B] (more: ciderd help two words)"},
		{"two words a b c", 64, "", "wrong number of arguments"},
		{"run a", 64, "", `unexpected argument "a"`},
		{"member", 64, "", "ciderd: member what? One of: list, add, remove, promote\nciderd help lists them"},
		{"member lisst", 64, "", `unknown command "member lisst"; did you mean`},
		{"halp", 64, "", `unknown command "halp"; did you mean`},
		{"member list -socket /nowhere", 1, "", "no node is running here: nothing answers at /nowhere"},
		{"member list -config /nowhere", 78, "", "/nowhere"},
		{"wait", 64, "", "for what? -ready, -leader or -caught-up\nusage: ciderd wait"},
		{"wait -ready -leader", 64, "", "-ready or -leader, not both"},
		{"wait -ready -timeout 0s", 64, "", "not a time above 0"},
		{"wait -ready -timeout soon", 64, "", "not a time above 0"},
		{"wait -ready -timeout 1ms -socket /nowhere", 1, "", "not within 1ms: no node is running here"},
		{"wait -leader -timeout 1ms -socket /nowhere", 1, "", "not within 1ms: no node is running here"},
		{"wait -leader -config /nowhere", 78, "", "/nowhere"},
		{"drain -timeout 5", 64, "", "not a time above 0"},
		{"drain -socket /nowhere", 1, "", "no node is running here"},
		{"undrain -socket /nowhere", 1, "", "no node is running here"},
		{"leader -socket /nowhere", 1, "", "no node is running here"},
		{"doctor -socket /nowhere", 1, "", "no node is running here"},
		{"doctor now", 64, "", `unexpected argument "now"`},
		{"debug", 64, "", "wrong number of arguments\nusage: ciderd debug FILE"},
		{"debug /etc/passwd -socket /nowhere", 1, "", "/etc/passwd is there already: name a new file"},
		{"debug /nowhere/a.tar.gz -socket /nowhere", 1, "", "no such file or directory"},
		{"debug a.tar.gz -socket /nowhere", 1, "", "no node is running here"},
		{"reload -socket /nowhere", 1, "", "no node is running here"},
		{"user", 64, "", "ciderd: user what? One of: list, show, add, passwd, lock, unlock, remove, quota, reserve\n"},
		{"user remove", 64, "", "wrong number of arguments\nusage: ciderd user remove [-yes] NAME"},
		{"user remove alice -yes -socket /nowhere", 1, "", "no node is running here"},
		{"user lock alice secret", 64, "", "wrong number of arguments"},
		{"user passwd alice secret", 64, "", "wrong number of arguments"},
		{"user quota alice", 64, "", "wrong number of arguments\nusage: ciderd user quota NAME SIZE|none"},
		{"user quota alice 5", 64, "", "5 has no unit"},
		{"user quota alice 1KiB", 64, "", `"1KiB" is out of range: from 64KiB`},
		{"user reserve alice auto", 64, "", `"auto" is neither none nor a size`},
		{"user reserve alice none -socket /nowhere", 1, "", "no node is running here"},
	} {
		called := ""
		p, _, errs := tested(t, func(c *Call) error {
			called = fmt.Sprint(c.Verb.Name, " ", c.Words, " ", c.values)
			return nil
		})
		if code := p.Main(strings.Fields(x.args)); code != x.code || called != x.called || !strings.Contains(errs.String(), x.said) {
			t.Errorf("%q: code %d, called %q, said %q; want %d, %q, %q", x.args, code, called, errs.String(), x.code, x.called, x.said)
		}
	}
}

// An error ends the program with the code of its kind, and is said once.
func TestExitCodes(t *testing.T) {
	for err, want := range map[error]struct {
		code int
		said string
	}{
		nil:                             {0, ""},
		ExitError(65):                   {65, ""},
		fmt.Errorf("it broke"):          {1, "ciderd: it broke\n"},
		&configError{fmt.Errorf("bad")}: {78, "bad\n"},
		Usage("no such %s", "thing"):    {64, "ciderd: no such thing\nusage: ciderd run (more: ciderd help run)\n"},
	} {
		p, _, errs := tested(t, func(*Call) error { return err })
		if code := p.Main([]string{"run"}); code != want.code || errs.String() != want.said {
			t.Errorf("%v: code %d, said %q; want %d, %q", err, code, errs.String(), want.code, want.said)
		}
	}
}

// The overview has a line for every verb, and help tells every verb's flags, by each way of asking; all fit a screen.
func TestHelp(t *testing.T) {
	p, out, _ := tested(t, nil)
	said := func(args ...string) string {
		t.Helper()
		out.Reset()
		if code := p.Main(args); code != 0 {
			t.Errorf("%q: code %d", args, code)
		}
		checkScreen(t, strings.Join(args, " "), out.String())
		return out.String()
	}
	overview := said("help")
	for _, other := range [][]string{{"-h"}, {"-help"}} {
		if said(other...) != overview {
			t.Errorf("%q prints another overview", other)
		}
	}
	for _, v := range p.Verbs {
		if v.Summary == "" || !inOverview(overview, &v) {
			t.Errorf("%s is not in the overview", v.Name)
		}
		words := strings.Fields(v.Name)
		help := said(append([]string{"help"}, words...)...)
		if v.Name != "help" && v.Group != OfTheProgram && said(append(slices.Clone(words), "-h")...) != help {
			t.Errorf("%s -h prints something else than help %s", v.Name, v.Name)
		}
		for _, f := range v.flags() {
			if !strings.Contains(help, "-"+f.Name) {
				t.Errorf("help of %s does not tell -%s", v.Name, f.Name)
			}
		}
	}
	if all := said("help", "member"); strings.Count(all, "usage: ciderd member") != 4 {
		t.Errorf("help member: %s", all)
	}
}

// inOverview reports whether there is a line for the verb, or for all of its family.
func inOverview(overview string, v *Verb) bool {
	family, second, _ := strings.Cut(v.Name, " ")
	for line := range strings.Lines(overview) {
		verbs, _, _ := strings.Cut(strings.TrimPrefix(line, "  "), "  ")
		if words := strings.Split(verbs, ", "); len(words) > 1 && slices.Contains(words, v.Name) {
			return true
		}
	}
	if _, known := families[family]; !known {
		return strings.Contains(overview, "\n  "+strings.TrimSpace(v.Name+" "+v.Args)+" ")
	}
	_, line, found := strings.Cut(overview, "\n  "+family+" ")
	line, _, _ = strings.Cut(line, "\n")
	line, _, _ = strings.Cut(line, "  ")
	return found && slices.Contains(strings.Split(line, ", "), second)
}

func checkScreen(t *testing.T, what, text string) {
	t.Helper()
	lines := 24
	if what == "help member" { // four screens
		lines *= 4
	}
	if n := strings.Count(text, "\n"); n > lines {
		t.Errorf("%s has %d lines", what, n)
	}
	for line := range strings.Lines(text) {
		if len(line) > 80 {
			t.Errorf("%s: %d columns: %s", what, len(line)-1, line)
		}
	}
}

// A leader that has no majority is none: NO QUORUM is 2, whatever the node that was asked believes.
func TestExitOfStatus(t *testing.T) {
	for _, c := range []struct {
		leader, verdict string
		want            error
	}{
		{"n1", report.Healthy, nil},
		{"n1", report.Degraded, ExitError(ExitFailed)},
		{"n1", report.NoQuorum, ExitError(ExitNoLeader)},
		{"", report.NoQuorum, ExitError(ExitNoLeader)},
		{"", report.Degraded, ExitError(ExitNoLeader)},
	} {
		var r report.Full
		r.Leader, r.Overview.Verdict = c.leader, c.verdict
		if got := exitOf(&r); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
