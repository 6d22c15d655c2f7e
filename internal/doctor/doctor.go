// Package doctor owns how findings are told to people: worst first, each with its number, why it matters and what to do
// about it.
//
// It promises lines of at most 79 columns, if no word is longer. It finds nothing itself, and does not know who asks.
package doctor

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"ciderd/internal/report"
)

// Write writes what there is to say of a cluster.
func Write(w io.Writer, o *report.Overview) {
	Wrap(w, o.Verdict+" ", o.Sentence)
	fmt.Fprintln(w)
	for _, f := range o.Findings {
		word := f.Severity.String()
		for _, said := range [][2]string{{word, f.What}, {"why", f.Why}, {"cure", f.Cure}} {
			if said[1] != "" {
				Wrap(w, said[0], said[1])
			}
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w, count(len(o.Findings)))
}

func count(n int) string {
	switch n {
	case 0:
		return "nothing found"
	case 1:
		return "1 finding"
	}
	return fmt.Sprintf("%d findings, worst first", n)
}

// indent is how far to the right sentences begin, and width where they end, in columns.
const (
	indent = 10
	width  = 79
)

// Wrap writes a sentence behind a word on its first line, on as many lines as it needs.
func Wrap(w io.Writer, word, sentence string) {
	line := fmt.Sprintf("%-*s", indent, word)
	margin := strings.Repeat(" ", indent)
	for text := range strings.FieldsSeq(sentence) {
		switch {
		case strings.TrimSpace(line) == "" || line[len(line)-1] == ' ':
			line += text
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(text) > width:
			fmt.Fprintln(w, line)
			line = margin + text
		default:
			line += " " + text
		}
	}
	if strings.TrimSpace(line) != "" {
		fmt.Fprintln(w, line)
	}
}
