package resp

import (
	"slices"
	"strings"
)

// AnswerCommand answers COMMAND and its subcommands; c is which, as Lookup has found it for args.
func AnswerCommand(w *Writer, c *Command, args [][]byte) {
	switch c.Name {
	case "command":
		writeInfos(w, nil)
	case "command|count":
		w.Int(int64(len(listed(table))))
	case "command|info":
		writeInfos(w, args[2:])
	case "command|docs":
		writeDocs(w, args[2:])
	case "command|list":
		list(w, args[2:])
	case "command|getkeys":
		getKeys(w, args[2:])
	}
}

// listed returns those of commands that are for clients to know.
func listed(commands []Command) (out []*Command) {
	for i := range commands {
		if !commands[i].Has(Refused) {
			out = append(out, &commands[i])
		}
	}
	return out
}

// byName returns the commands of the given names, where a subcommand is client|id; nil for an unknown one. No name
// stands for all commands.
func byName(names [][]byte) (out []*Command) {
	if len(names) == 0 {
		return listed(table)
	}
	for _, name := range names {
		c := index[strings.Map(lowerRune, string(name))]
		if c != nil && c.Has(Refused) {
			c = nil
		}
		out = append(out, c)
	}
	return out
}

func lowerRune(r rune) rune {
	if 'A' <= r && r <= 'Z' {
		return r | 0x20
	}
	return r
}

func writeInfos(w *Writer, names [][]byte) {
	commands := byName(names)
	w.Array(len(commands))
	for _, c := range commands {
		if c == nil {
			w.Null()
			continue
		}
		c.info(w)
	}
}

// info writes what COMMAND INFO tells, with an empty set of hints for proxies.
func (c *Command) info(w *Writer) {
	first, last, step := c.positions()
	w.Array(10)
	w.BulkString(c.Name)
	w.Int(int64(c.Arity))
	writeSet(w, c.flagList())
	w.Int(int64(first))
	w.Int(int64(last))
	w.Int(int64(step))
	categories := c.categories()
	for i := range categories {
		categories[i] = "@" + categories[i]
	}
	writeSet(w, categories)
	w.Set(0)
	w.Set(len(c.Keys))
	for i := range c.Keys {
		c.Keys[i].info(w)
	}
	subcommands := listed(c.Subcommands)
	w.Set(len(subcommands))
	for _, sub := range subcommands {
		sub.info(w)
	}
}

func writeDocs(w *Writer, names [][]byte) {
	commands := slices.DeleteFunc(byName(names), func(c *Command) bool { return c == nil })
	w.Map(len(commands))
	for _, c := range commands {
		c.docs(w)
	}
}

// docs writes a name and what COMMAND DOCS tells.
func (c *Command) docs(w *Writer) {
	fields := [][2]string{{"summary", c.Summary}, {"since", c.Since}, {"group", string(c.Group)}}
	if c.Since == "" {
		fields = slices.Delete(fields, 1, 2)
	}
	subcommands := listed(c.Subcommands)
	n := len(fields)
	if len(subcommands) > 0 {
		n++
	}
	w.BulkString(c.Name)
	w.Map(n)
	for _, f := range fields {
		w.BulkString(f[0])
		w.BulkString(f[1])
	}
	if len(subcommands) > 0 {
		w.BulkString("subcommands")
		w.Map(len(subcommands))
		for _, sub := range subcommands {
			sub.docs(w)
		}
	}
}

// list answers COMMAND LIST, which may have a filter.
func list(w *Writer, filter [][]byte) {
	keep := func(*Command) bool { return true }
	if len(filter) > 0 {
		if len(filter) != 3 || !equalFold(filter[0], "filterby") {
			w.Error(string(ErrSyntax))
			return
		}
		if keep = filterBy(filter[1], filter[2]); keep == nil {
			w.Error(string(ErrSyntax))
			return
		}
	}
	var names []string
	for _, c := range listed(table) {
		for _, c := range append([]*Command{c}, listed(c.Subcommands)...) {
			if keep(c) {
				names = append(names, c.Name)
			}
		}
	}
	w.Array(len(names))
	for _, name := range names {
		w.BulkString(name)
	}
}

// filterBy returns a filter of COMMAND LIST; nil if there is none of that kind. No command is of a module.
func filterBy(kind, value []byte) func(*Command) bool {
	switch {
	case equalFold(kind, "module"):
		return func(*Command) bool { return false }
	case equalFold(kind, "aclcat"):
		return func(c *Command) bool {
			return slices.ContainsFunc(c.categories(), func(name string) bool { return equalFold(value, name) })
		}
	case equalFold(kind, "pattern"):
		p := CompilePattern([]byte(strings.Map(lowerRune, string(value))))
		return func(c *Command) bool { return p.Match([]byte(c.Name)) }
	}
	return nil
}
