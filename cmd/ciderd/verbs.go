package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"ciderd/internal/config"
)

// verb is one command of the command line, of one word or two. Help and the overview are made from it.
type verb struct {
	name    string // "member add"
	args    string // behind the name, as usage prints them: "NAME"
	summary string // one line of the overview
	text    string // what help tells beside that; lines of at most 79 bytes
	group   group
	run     func(args []string) int
}

// group is where a verb stands in the overview.
type group int

const (
	ofTheNode group = iota
	toANode
	toADirectory
)

// verbs is the one table of what ciderd can be told to do; without a verb it runs a node. It is a func, as help is in
// it.
func verbs() []verb {
	return []verb{
		{"run", "", "run a node (what happens without a command)", runText, ofTheNode, run},
		{"validate", "[FILE]", "check a configuration, print what a node would do", validateText, ofTheNode, validate},
		{"version", "", "print the version", "", ofTheNode, printVersion},
		{"help", "[COMMAND]", "print this, or more about one command", "", ofTheNode, help},
		{"member list", "", "who belongs to the cluster, as the leader sees it", "", toANode, performing(listing)},
		{"member add", "NAME", "let the empty node NAME in at once", addText, toANode, performing(adding)},
		{"member remove", "[-yes] NAME", "take NAME out; a leader hands over first", removeText, toANode, performing(removing)},
		{"member promote", "NAME", "give NAME its vote, once it has caught up", "", toANode, performing(promoting)},
		{"transfer", "[NAME]", "make NAME the leader, or the best node", "", toANode, performing(transferring)},
		{"user add", "NAME", "add a user, also while signup is closed", userText, toANode, performing(userAdding)},
		{"recover", "-plan | -accept-loss", "go on from one node after a quorum was lost", recoverText, toADirectory, recoverCommand},
	}
}

const (
	runText = `It runs in the foreground until SIGTERM or SIGINT; SIGHUP reads the file again.`

	validateText = `FILE may stand for -config FILE. It prints every setting and where it is from,
and every mistake with its file and line.`

	addText = `It is let in by itself too, some seconds after it was started with an empty
data directory; this does not wait.`

	removeText = `What would cost the quorum is refused. With one voter left none may fail: that
wants -yes. If the node is to stay away, take it out of the file too.`

	userText = `The password is asked for, or is the first line of standard input. It is never
taken from the command line.`

	recoverText = `-plan shows what the directory has, and what may be lost by going on from it.
-accept-loss keeps a copy, and makes it the only node of its cluster.`

	configFlags = `  -config FILE  the cluster's file (or CIDERD_CONFIG); without one: a single
                node on localhost:8080
  -node NAME    which node of the file this is (or CIDERD_NODE); else by host
                name or address
`
	socketFlag = `  -socket PATH  the admin socket of the node that is asked; else the one of the
                file's node on this machine
`
	exitCodes = `Exit codes: 0 done, 64 wrong usage, 65 a data directory that needs a person
(damaged, or its server was removed from the cluster or left out of a
recovery), 78 wrong configuration, 1 refused, failed, or anything else.
`
)

// findVerb returns the verb that args begin with, and what is left of them.
func findVerb(args []string) (found *verb, rest []string) {
	list := verbs()
	for i, v := range list {
		words := strings.Fields(v.name)
		if len(args) >= len(words) && strings.Join(args[:len(words)], " ") == v.name {
			found, rest = &list[i], args[len(words):]
		}
	}
	return found, rest
}

// unknownVerb says what was probably meant, in few lines: the whole usage would push that off the screen.
func unknownVerb(args []string) int {
	if len(args) == 2 && asksForHelp(args[1]) {
		return help(args[:1])
	}
	var names []string
	word, inner := args[0], false
	for _, v := range verbs() {
		first, second, two := strings.Cut(v.name, " ")
		if two && first == args[0] {
			inner = true
			if len(args) > 1 && args[1][0:min(1, len(args[1]))] != "-" {
				word = args[1]
			} else {
				word = ""
			}
			names = append(names, second)
		}
	}
	switch {
	case inner && word == "":
		fmt.Fprintf(os.Stderr, "ciderd: %s what? One of: %s\n", args[0], strings.Join(names, ", "))
	case inner:
		for i, second := range names {
			names[i] = args[0] + " " + second
		}
		fmt.Fprintf(os.Stderr, "ciderd: unknown command \"%s %s\"%s\n", args[0], word, config.DidYouMean(args[0]+" "+word, names))
	default:
		for _, v := range verbs() {
			names = append(names, strings.Fields(v.name)[0])
		}
		fmt.Fprintf(os.Stderr, "ciderd: unknown command %q%s\n", word, config.DidYouMean(word, names))
	}
	fmt.Fprintln(os.Stderr, "ciderd help lists them")
	return exitUsage
}

// usage is the overview: it fits a screen of 80 x 24.
func usage(w io.Writer) {
	fmt.Fprint(w, "usage: ciderd [COMMAND] [-config FILE] [-node NAME]   more: ciderd help COMMAND\n")
	for _, g := range []struct {
		group group
		title string
	}{{ofTheNode, ""}, {toANode, "to a running node of this machine:"}, {toADirectory, "to the data directory of a stopped node:"}} {
		if g.title != "" {
			fmt.Fprintf(w, "%s\n", g.title)
		}
		for _, v := range verbs() {
			if v.group == g.group {
				fmt.Fprintf(w, "  %-27s %s\n", strings.TrimSpace(v.name+" "+v.args), v.summary)
			}
		}
	}
	fmt.Fprint(w, exitCodes)
}

// about prints the help of one verb.
func (v *verb) about(w io.Writer) {
	flags, texts := " [FLAGS]", configFlags
	switch {
	case v.name == "version" || v.name == "help":
		flags, texts = "", ""
	case v.group == toANode:
		texts += socketFlag
	}
	fmt.Fprintf(w, "usage: ciderd %s%s\n\n%s.\n", strings.TrimSpace(v.name+" "+v.args), flags, strings.ToUpper(v.summary[:1])+v.summary[1:])
	if v.text != "" {
		fmt.Fprintf(w, "%s\n", v.text)
	}
	if texts != "" {
		fmt.Fprintf(w, "\n%s", texts)
	}
}

// wrongUsage says what is wrong with the arguments of a verb, in two lines.
func wrongUsage(name string, err error) int {
	v, _ := findVerb(strings.Fields(name))
	fmt.Fprintf(os.Stderr, "ciderd: %v\nusage: ciderd %s (more: ciderd help %s)\n", err, strings.TrimSpace(v.name+" "+v.args), v.name)
	return exitUsage
}

func helpOf(name string) int {
	v, _ := findVerb(strings.Fields(name))
	v.about(os.Stdout)
	return exitOK
}

func asksForHelp(arg string) bool { return arg == "-h" || arg == "-help" || arg == "--help" }

func help(args []string) int {
	if len(args) == 0 || asksForHelp(args[0]) {
		usage(os.Stdout)
		return exitOK
	}
	if v, rest := findVerb(args); v != nil {
		if len(rest) > 0 {
			return wrongUsage("help", fmt.Errorf("unexpected argument %q", rest[0]))
		}
		v.about(os.Stdout)
		return exitOK
	}
	several := false
	for _, v := range verbs() {
		if len(args) == 1 && strings.HasPrefix(v.name, args[0]+" ") {
			if several {
				fmt.Println()
			}
			v.about(os.Stdout)
			several = true
		}
	}
	if several {
		return exitOK
	}
	return unknownVerb(args)
}
