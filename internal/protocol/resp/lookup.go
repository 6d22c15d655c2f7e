package resp

import (
	"bytes"
	"strings"
)

// index finds a command by its name in lower case, and a subcommand by both names.
var index = makeIndex()

func makeIndex() map[string]*Command {
	m := map[string]*Command{}
	for i := range table {
		m[table[i].Name] = &table[i]
		for j := range table[i].Subcommands {
			sub := &table[i].Subcommands[j]
			m[sub.Name] = sub
		}
	}
	return m
}

// Commands returns how many commands and subcommands there are.
func Commands() int { return len(index) }

// AllCommands returns the table: each command and subcommand in its place.
func AllCommands() []*Command {
	all := make([]*Command, Commands())
	for _, c := range index {
		all[c.Number] = c
	}
	return all
}

// Lookup finds the command that args, at least one, begin with, in any letter case: that of the first word, or if this
// is a container, the subcommand. The error tells that there is none, or that it may not have so many arguments; the
// command is nil only if there is none. A command that is found costs no memory.
func Lookup(args [][]byte) (*Command, error) {
	c := find(args)
	switch {
	case c == nil && isContainer(args[:1]):
		return nil, unknownSubcommand(args)
	case c == nil:
		return nil, UnknownCommand(args)
	case !c.accepts(len(args)):
		return c, Error("ERR wrong number of arguments for '" + c.Name + "' command")
	}
	return c, nil
}

// find returns the command, nil if there is none.
func find(args [][]byte) *Command {
	c := named(args[:1])
	if c == nil || len(c.Subcommands) == 0 || len(args) == 1 {
		return c
	}
	return named(args[:2])
}

// named returns the command of one word, or the subcommand of two.
func named(words [][]byte) *Command {
	var buf [64]byte
	key := buf[:0]
	for i, word := range words {
		if len(key)+len("|")+len(word) > len(buf) {
			return nil
		}
		if i > 0 {
			key = append(key, '|')
		}
		for _, c := range word {
			key = append(key, lower(c))
		}
	}
	c := index[string(key)]
	if c != nil && strings.Contains(c.Name, "|") != (len(words) == 2) {
		return nil // a word with a bar in it is no name
	}
	return c
}

func isContainer(name [][]byte) bool {
	c := named(name)
	return c != nil && len(c.Subcommands) > 0
}

// What is repeated of a client's words, in bytes.
const (
	shownName = 128
	shownArgs = 128
)

func unknownSubcommand(args [][]byte) error {
	return shown("ERR unknown subcommand '" + cString(args[1], shownName) + "'. Try " + strings.ToUpper(string(args[0])) + " HELP.")
}

// UnknownCommand is what args are answered with if there is no such command. It is also for one that is there, but not
// for these arguments, so that it seems not to be.
func UnknownCommand(args [][]byte) error {
	var words []byte
	for _, a := range args[1:] {
		if len(words) >= shownArgs {
			break
		}
		words = append(append(append(words, '\''), cString(a, shownArgs-len(words))...), "' "...)
	}
	return shown("ERR unknown command '" + cString(args[0], shownName) + "', with args beginning with: " + string(words))
}

// cString is b as C prints it: to the first NUL, n bytes at most.
func cString(b []byte, n int) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b[:min(len(b), n)])
}

// shown is an error with words of the client's in it, which may have line ends.
func shown(reply string) error {
	b := []byte(reply)
	for i, c := range b {
		if c == '\r' || c == '\n' {
			b[i] = ' '
		}
	}
	return Error(b)
}
