package main

import (
	"strings"
	"testing"
)

// All verbs of the program fit a screen, and are told by help.
func TestProgram(t *testing.T) {
	var out, errs strings.Builder
	p := program()
	p.Out, p.Err = &out, &errs
	if code := p.Main([]string{"help"}); code != 0 || errs.Len() > 0 {
		t.Errorf("code %d, %s", code, errs.String())
	}
	if n := strings.Count(out.String(), "\n"); n > 24 {
		t.Errorf("the overview has %d lines", n)
	}
	for _, v := range p.Verbs {
		out.Reset()
		if code := p.Main(append([]string{"help"}, strings.Fields(v.Name)...)); code != 0 || !strings.Contains(out.String(), "usage: ciderd "+v.Name) {
			t.Errorf("help %s: code %d, %s", v.Name, code, out.String())
		}
	}
	for args, want := range map[string]string{"version": "ciderd ", "-version": "ciderd ", "validate -version": "ciderd "} {
		out.Reset()
		if code := p.Main(strings.Fields(args)); code != 0 || !strings.HasPrefix(out.String(), want) {
			t.Errorf("%s: code %d, %s", args, code, out.String())
		}
	}
	for args, code := range map[string]int{"recover": 64, "recover -plan -accept-loss": 64, "validate a -config b": 64, "validate /nowhere": 78} {
		if got := p.Main(strings.Fields(args)); got != code {
			t.Errorf("%s: code %d, want %d", args, got, code)
		}
	}
}
