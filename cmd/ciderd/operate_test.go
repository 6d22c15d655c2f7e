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

// Every command has a line of help, and every operation is in the usage.
func TestUsage(t *testing.T) {
	var b strings.Builder
	usage(&b)
	for _, c := range commands() {
		if c.summary == "" || !strings.Contains(b.String(), "  "+c.name) {
			t.Errorf("%s is not in the usage", c.name)
		}
	}
	for _, words := range []string{"member list", "member add NAME", "member remove NAME", "member promote NAME",
		"transfer [NAME]", "user add NAME", "recover -plan", "recover -accept-loss"} {
		if !strings.Contains(b.String(), "ciderd "+words+" ") {
			t.Errorf("%s is not in the usage", words)
		}
	}
}
