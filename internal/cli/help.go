package cli

import (
	"fmt"
	"io"
	"strings"

	"ciderd/internal/config"
)

const (
	configText = `  -config FILE  the cluster's file (or CIDERD_CONFIG); without one: a single
                node on localhost:8080
  -node NAME    which node of the file this is (or CIDERD_NODE); else by host
                name or address
`
	socketText = `  -socket PATH  the admin socket of the node that is asked; else the one of the
                file's node on this machine
`
	jsonText = `  -json         print JSON
`
	exitText = `Exit codes: 0 done, 1 refused, failed or no node, 2 a node without a leader,
64 wrong usage, 65 a data directory that needs a person, 78 wrong file.
`
)

// families are verbs of two words that begin with the same one: they share a line of the overview.
var families = map[string]string{
	"member": "who belongs to the cluster",
	"tls":    "certificates",
	"user":   "",
}

// shared are verbs that share a line of the overview with the one that is named first, where that stands.
var shared = map[string]struct {
	with    []string
	summary string
}{
	"version": {[]string{"help"}, "the version; this, or more about one command"},
	"cli":     {[]string{"bench"}, "talk to a node's text port; measure under load"},
	"status":  {[]string{"top"}, "show how the cluster and each of its nodes are"},
	"doctor":  {[]string{"debug"}, "what is wrong, and the cure; a file for a ticket"},
	"leader":  {[]string{"transfer"}, "who leads; hand leadership over"},
	"drain":   {[]string{"undrain"}, "take the node out of traffic, and back into it"},
	"recover": {[]string{"journal flush"}, "after the quorum is lost; for an older release"},
	"backup":  {[]string{"restore", "inspect"}, "all data to a file, and back; look into one"},
}

// Help is the verb that prints help.
func Help() Verb {
	return Verb{
		Name: "help", Args: "[COMMAND]", Summary: "print this, or more about one command", Group: OfTheProgram, Max: 2,
		Run: func(c *Call) error { return c.program.help(c) },
	}
}

func (p *Program) help(c *Call) error {
	if len(c.Words) == 0 {
		p.overview(c.Out)
		return nil
	}
	if v, rest := p.find(c.Words); v != nil {
		if len(rest) > 0 {
			return Usage("unexpected argument %q", rest[0])
		}
		v.about(c.Out)
		return nil
	}
	several := false
	for i := range p.Verbs {
		if len(c.Words) == 1 && strings.HasPrefix(p.Verbs[i].Name, c.Words[0]+" ") {
			if several {
				fmt.Fprintln(c.Out)
			}
			p.Verbs[i].about(c.Out)
			several = true
		}
	}
	if several {
		return nil
	}
	return ExitError(p.unknown(c.Words))
}

// overview prints all verbs: it fits a screen of 80 x 24.
func (p *Program) overview(w io.Writer) {
	fmt.Fprint(w, "usage: ciderd [COMMAND] [-config FILE] [-node NAME]   more: ciderd help COMMAND\n")
	for _, g := range []struct {
		groups []Group
		title  string
	}{
		{[]Group{OfTheNode, OfTheProgram}, ""},
		{[]Group{ToANode}, "to a running node of this machine:"},
		{[]Group{ToADirectory}, "to the data directory of a stopped node:"},
	} {
		if g.title != "" {
			fmt.Fprintf(w, "%s\n", g.title)
		}
		p.overviewOf(w, func(v *Verb) bool { return v.Group == g.groups[0] || v.Group == g.groups[len(g.groups)-1] })
	}
	fmt.Fprint(w, exitText)
}

// overviewOf prints some verbs, those of a family together where the first one stands.
func (p *Program) overviewOf(w io.Writer, some func(*Verb) bool) {
	told := map[string]bool{}
	for i := range p.Verbs {
		v := &p.Verbs[i]
		family, _, two := strings.Cut(v.Name, " ")
		summary, known := families[family]
		line, beside := shared[v.Name]
		switch {
		case !some(v) || told[family]:
		case beside:
			for _, name := range line.with {
				first, _, _ := strings.Cut(name, " ")
				told[first] = true
			}
			fmt.Fprintf(w, "  %-28s %s\n", strings.Join(append([]string{v.Name}, line.with...), ", "), line.summary)
		case two && known:
			told[family] = true
			names := family + " " + strings.Join(p.seconds(family), ", ")
			fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("  %-27s  %s", names, summary), " "))
		default:
			fmt.Fprintf(w, "  %-28s %s\n", strings.TrimSpace(v.Name+" "+v.Args), v.Summary)
		}
	}
}

// seconds returns the second words of a family's verbs.
func (p *Program) seconds(family string) (words []string) {
	for _, v := range p.Verbs {
		if first, second, two := strings.Cut(v.Name, " "); two && first == family {
			words = append(words, second)
		}
	}
	return words
}

// about prints the help of one verb.
func (v *Verb) about(w io.Writer) {
	flags, texts := " [FLAGS]", configText
	switch v.Group {
	case OfTheProgram:
		flags, texts = "", ""
	case ToANode:
		texts += socketText
	}
	if v.Facts {
		texts += jsonText
	}
	fmt.Fprintf(w, "usage: ciderd %s%s\n\n%s.\n", strings.TrimSpace(v.Name+" "+v.Args), flags, strings.ToUpper(v.Summary[:1])+v.Summary[1:])
	if v.Text != "" {
		fmt.Fprintf(w, "%s\n", v.Text)
	}
	if texts != "" {
		fmt.Fprintf(w, "\n%s", texts)
	}
}

// unknown says what was probably meant, in few lines: the whole overview would push that off the screen.
func (p *Program) unknown(args []string) int {
	if len(args) == 2 && (args[1] == "-h" || args[1] == "-help" || args[1] == "--help") {
		v, _ := p.find([]string{"help"})
		return p.call(v, args[:1], false)
	}
	first, word := args[0], ""
	if len(args) > 1 && !strings.HasPrefix(args[1], "-") {
		word = args[1]
	}
	seconds, all := p.seconds(first), []string(nil)
	for _, v := range p.Verbs {
		begin, _, _ := strings.Cut(v.Name, " ")
		all = append(all, begin)
	}
	switch {
	case len(seconds) > 0 && word == "":
		fmt.Fprintf(p.Err, "ciderd: %s what? One of: %s\n", first, strings.Join(seconds, ", "))
	case len(seconds) > 0:
		for i := range seconds {
			seconds[i] = first + " " + seconds[i]
		}
		fmt.Fprintf(p.Err, "ciderd: unknown command \"%s %s\"%s\n", first, word, config.DidYouMean(first+" "+word, seconds))
	default:
		fmt.Fprintf(p.Err, "ciderd: unknown command %q%s\n", first, config.DidYouMean(first, all))
	}
	fmt.Fprintln(p.Err, "ciderd help lists them")
	return ExitUsage
}
