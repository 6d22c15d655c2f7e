package text

import (
	"ciderd/internal/protocol"
)

// Command is a row of the table of commands, as this protocol has it.
type Command struct {
	protocol.Command
	Aliases []string // other names that parse to Verb
	Usage   string
	Notes   []string // what HELP says beside usage and summary

	like []string
}

// table is the rows of protocol's table, in its order.
var table = func() (all []Command) {
	own := map[protocol.Verb]usage{}
	for _, u := range usages {
		own[u.verb] = u
	}
	for _, c := range protocol.Commands() {
		u := own[c.Verb]
		all = append(all, Command{Command: c, Aliases: u.aliases, Usage: u.usage, Notes: u.notes, like: u.like})
	}
	return all
}()

// Commands returns the table of commands in the order of HELP.
func Commands() []Command { return table }

// byLetter finds names and aliases by the low bits of their first letter, the same for both cases.
var byLetter [32][]nameRow

type nameRow struct {
	name string
	cmd  *Command
}

func init() {
	for i := range table {
		cmd := &table[i]
		for _, name := range append([]string{cmd.Name}, cmd.Aliases...) {
			rows := &byLetter[name[0]&31]
			*rows = append(*rows, nameRow{name, cmd})
		}
	}
}

// find returns the command of that name or alias in any case, nil if there is none. It does not allocate.
func find(word []byte) *Command {
	if len(word) == 0 {
		return nil
	}
	for _, row := range byLetter[word[0]&31] {
		if foldEqual(word, row.name) {
			return row.cmd
		}
	}
	return nil
}
