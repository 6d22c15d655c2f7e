package main

import (
	"flag"
	"slices"
	"strings"
	"testing"
)

// Flags may stand anywhere among the words.
func TestSplit(t *testing.T) {
	for _, x := range []struct{ args, words, config, err string }{
		{"", "", "", ""},
		{"n1", "n1", "", ""},
		{"n1 -config f", "n1", "f", ""},
		{"-config f n1", "n1", "f", ""},
		{"a -config=f b", "a b", "f", ""},
		{"a -- -config f", "a -config f", "", ""},
		{"a -config", "", "", "needs an argument"},
		{"a -what b", "", "", "not defined"},
	} {
		var config string
		words, err := split(strings.Fields(x.args), func(f *flag.FlagSet) { f.StringVar(&config, "config", "", "") })
		if x.err != "" {
			if err == nil || !strings.Contains(err.Error(), x.err) {
				t.Errorf("%q: %v, want %q", x.args, err, x.err)
			}
			continue
		}
		if err != nil || !slices.Equal(words, strings.Fields(x.words)) || config != x.config {
			t.Errorf("%q: %q, config %q, %v", x.args, words, config, err)
		}
	}
}

// The overview has a line for every verb, and fits a screen; so does the help of each.
func TestUsage(t *testing.T) {
	var b strings.Builder
	usage(&b)
	checkScreen(t, "the overview", b.String())
	for _, v := range verbs() {
		if v.summary == "" || !strings.Contains(b.String(), "\n  "+strings.TrimSpace(v.name+" "+v.args)+" ") {
			t.Errorf("%s is not in the overview", v.name)
		}
		var help strings.Builder
		v.about(&help)
		checkScreen(t, v.name, help.String())
		if found, rest := findVerb(append(strings.Fields(v.name), "-h")); found == nil || found.name != v.name || len(rest) != 1 {
			t.Errorf("%s is not found", v.name)
		}
	}
}

func checkScreen(t *testing.T, what, text string) {
	t.Helper()
	if n := strings.Count(text, "\n"); n > 24 {
		t.Errorf("%s has %d lines", what, n)
	}
	for line := range strings.Lines(text) {
		if len(line) > 80 {
			t.Errorf("%s: %d columns: %s", what, len(line)-1, line)
		}
	}
}
