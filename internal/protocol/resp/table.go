package resp

// table is the one list of commands.
var table = number(connectionCommands, stringCommands, keyCommands, transactionCommands, scriptCommands, serverCommands, ownCommands)

// oneKey is the first argument.
func oneKey(access string) []KeySpec { return keyAt(1, access) }

// manyKeys are all arguments.
func manyKeys(access string) []KeySpec {
	return []KeySpec{{Access: access, First: 1, Last: -1, Step: 1}}
}

func keyAt(i int, access string) []KeySpec { return []KeySpec{{Access: access, First: i, Step: 1}} }

// pairs are keys with a value behind each.
func pairs(access string) []KeySpec { return []KeySpec{{Access: access, First: 1, Last: -1, Step: 2}} }

// fromTo are a key that is read and one that is written.
func fromTo(from, to string) []KeySpec {
	return []KeySpec{{Access: from, First: 1, Step: 1}, {Access: to, First: 2, Step: 1}}
}

// countedKeys are the keys of a script, whose number stands before them.
func countedKeys(access string) []KeySpec {
	return []KeySpec{{Access: access, First: 2, Step: 1, how: counted}}
}

// wrappedKeys are those of the command that begins with the second argument.
func wrappedKeys(access string) []KeySpec {
	return []KeySpec{{Access: access, First: 2, how: wrapped}}
}

// number joins the parts of the table.
func number(parts ...[]Command) (all []Command) {
	n := 0
	next := func(c *Command) {
		c.Number = n
		n++
	}
	for _, part := range parts {
		all = append(all, part...)
	}
	for i := range all {
		next(&all[i])
		for j := range all[i].Subcommands {
			next(&all[i].Subcommands[j])
		}
	}
	return all
}
