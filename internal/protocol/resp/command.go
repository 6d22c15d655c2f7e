package resp

import "strings"

// Command is a row of the table of commands: what Redis says about a command of its own, and what we say about ours.
type Command struct {
	Name    string // in lower case; a subcommand's begins with that of its container: client|kill
	Arity   int    // how many arguments there are, the command's name (or both) counted; -n: n or more
	Flags   Flags
	Keys    []KeySpec
	Group   Group
	Since   string // the version of Redis that it came with; empty: Redis has none
	Summary string
	// Also names categories of ACL that do not follow from flags and group, parted by blanks. If the first word is
	// "only", that of the group does not hold.
	Also        string
	Subcommands []Command // not empty: a container
	Number      int       // its place in a table beside this one, below Commands()
}

// Flags are what clients and the dispatcher decide by.
type Flags uint32

// The flags, those of Redis in its order.
const (
	Write    Flags = 1 << iota // it changes items
	ReadOnly                   // it reads items
	DenyOOM                    // it may make the data grow
	Admin
	PubSub
	NoScript // it may not stand in a script
	Loading  // it is served while data is loaded
	Stale    // it needs no current data
	SkipMonitor
	SkipSlowlog
	Fast
	NoAuth // it is served before login
	AllowBusy
	NoMandatoryKeys
	MovableKeys // the keys are not at fixed places
	redisFlags  = iota

	AtOnce  Flags = 1 << 30 // in a transaction it is done, not queued
	NoMulti Flags = 1 << 29 // it may not stand in a transaction
	Refused Flags = 1 << 28 // it is known and answered with an error, so it is in no list
)

// flagNames are the flags of Redis as it writes them.
var flagNames = [redisFlags]string{
	"write", "readonly", "denyoom", "admin", "pubsub", "noscript", "loading", "stale", "skip_monitor", "skip_slowlog", "fast", "no_auth",
	"allow_busy", "no_mandatory_keys", "movablekeys",
}

// Has reports whether all of f are set.
func (c *Command) Has(f Flags) bool { return c.Flags&f == f }

// Group is what a command is about.
type Group string

// The groups of Redis that we have commands of. Those of our own are in "ciderd".
const (
	Connection   Group = "connection"
	Strings      Group = "string"
	Generic      Group = "generic"
	Transactions Group = "transactions"
	Scripting    Group = "scripting"
	Server       Group = "server"
	Cluster      Group = "cluster"
	Channels     Group = "pubsub"
	Sentinel     Group = "sentinel"
	Ours         Group = "ciderd"
)

// KeySpec says which arguments are keys, and what is done with them.
type KeySpec struct {
	Access string // Redis' words for that, parted by blanks: "RO access"
	First  int    // where the first key is, the command being 0; of a Counted one, where their number is
	Last   int    // where the last one is, counted from the first; -1: at the end
	Step   int    // from key to key
	how    keySearch
}

type keySearch uint8

const (
	ranged  keySearch = iota
	counted           // their number stands before them
	wrapped           // they are those of the command that begins at First
)

// positions returns the first key, the last one (negative: from the end) and the step between them; all 0 if there are
// none, or they move.
func (c *Command) positions() (first, last, step int) {
	if len(c.Keys) == 0 || c.Has(MovableKeys) {
		return 0, 0, 0
	}
	end := c.Keys[len(c.Keys)-1]
	first, last = c.Keys[0].First, end.Last
	if last >= 0 {
		last += end.First
	}
	return first, last, end.Step
}

// groupCategories are the categories of ACL that follow from a group.
var groupCategories = map[Group]string{
	Connection: "connection", Strings: "string", Generic: "keyspace", Transactions: "transaction", Scripting: "scripting",
}

// categoryOrder has the categories that there may be, in the order in which Redis writes them.
var categoryOrder = []string{
	"keyspace", "read", "write", "string", "pubsub", "admin", "fast", "slow", "dangerous", "connection", "transaction", "scripting",
}

// categories returns the categories of ACL that c is in.
func (c *Command) categories() (names []string) {
	is := map[string]bool{
		"write": c.Has(Write), "read": c.Has(ReadOnly) && c.Group != Scripting, "pubsub": c.Has(PubSub), "admin": c.Has(Admin),
		"dangerous": c.Has(Admin), "fast": c.Has(Fast), "slow": !c.Has(Fast),
	}
	also, only := strings.CutPrefix(c.Also, "only")
	if !only && len(c.Subcommands) == 0 {
		is[groupCategories[c.Group]] = true
	}
	for _, name := range strings.Fields(also) {
		is[name] = true
	}
	for _, name := range categoryOrder {
		if is[name] {
			names = append(names, name)
		}
	}
	return names
}

// flagList returns the flags of Redis that are set.
func (c *Command) flagList() (names []string) {
	for i, name := range flagNames {
		if c.Has(1 << i) {
			names = append(names, name)
		}
	}
	return names
}

// accepts reports whether c may have n arguments, its name counted.
func (c *Command) accepts(n int) bool { return n == c.Arity || c.Arity < 0 && n >= -c.Arity }
