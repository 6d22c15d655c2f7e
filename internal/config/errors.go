package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Problem is one thing that is wrong.
type Problem struct {
	Where   string // the file, the CIDERD_* variable or the flag
	Line    int    // in the file, from 1; 0 for variables, flags and a file that cannot be read
	Message string
	Source  string // that line, or the variable's assignment; may be empty
}

// String returns "where:line: message", and the source on its own indented line.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.Where)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	b.WriteString(": " + p.Message)
	if p.Source != "" {
		b.WriteString("\n    " + p.Source)
	}
	return b.String()
}

// ErrorList is everything that is wrong, never empty: first the file's problems by line, then the others. Every
// error of Load is an ErrorList.
type ErrorList []Problem

// Error returns all problems, one after the other.
func (l ErrorList) Error() string {
	texts := make([]string, len(l))
	for i, p := range l {
		texts[i] = p.String()
	}
	return strings.Join(texts, "\n")
}

func (l ErrorList) sort() {
	slices.SortStableFunc(l, func(a, b Problem) int {
		if (a.Line == 0) != (b.Line == 0) {
			return b.Line - a.Line
		}
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Where, b.Where))
	})
}

// printable makes a line fit for a terminal: short, and without control characters.
func printable(line string) string {
	const most = 240 // runes
	line = strings.TrimRight(line, "\r\n \t")
	var b strings.Builder
	n := 0
	for _, r := range line {
		if n++; n > most {
			return b.String() + "…"
		}
		if r != '\t' && !unicode.IsPrint(r) {
			r = unicode.ReplacementChar
		}
		b.WriteRune(r)
	}
	return b.String()
}
