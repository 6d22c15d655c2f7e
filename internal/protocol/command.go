package protocol

import "slices"

// Access says what a command does with its user's cache.
type Access uint8

// The kinds of access.
const (
	Neither Access = iota // it does not touch the cache
	Reads                 // it is answered from this node's copy
	Writes                // it becomes an entry of the log, and ONCE may wrap it
)

// ArgKind is what an argument is. How it is written is the business of each protocol.
type ArgKind uint8

// The kinds of arguments, with their limits.
const (
	ArgUser         ArgKind = iota + 1 // 1 to MaxUser bytes
	ArgPassword                        // 1 to MaxPassword bytes
	ArgNewPassword                     // as ArgPassword
	ArgKey                             // 1 to MaxKey bytes
	ArgValue                           // 0 bytes to what is configured
	ArgTTL                             // a duration, see ParseDuration
	ArgVersion                         // an unsigned number of 64 bits
	ArgDelta                           // a signed number of 64 bits
	ArgSetOptions                      // a duration, and one of NX and XX; each may be missing
	ArgPattern                         // a glob of at most MaxKey bytes, a limit of 1 to MaxLimit keys, and a key; each may be missing
	ArgConfirmation                    // of a command that removes much
	ArgText                            // any text
	ArgTopic                           // what HELP is asked about
	ArgOnceID                          // 1 to MaxOnceID bytes
	ArgCommand                         // a command that Writes, with its arguments
)

// Arg is one argument of a command. If the first one is Optional, all of them may be left out together.
type Arg struct {
	Kind     ArgKind
	Optional bool
	// Many: it may be repeated; with the next one, if that is too. All together are at most MaxWords.
	Many bool
}

// Command is a row of the table of commands.
type Command struct {
	Verb    Verb
	Name    string // in capitals
	Summary string // one line of at most 79 bytes
	Args    []Arg
	Access  Access

	BeforeLogin bool // served before login too
	// As is the verb that a request of this command has, if that is another: SETEX is a SET.
	As Verb
}

var (
	keyArg      = Arg{Kind: ArgKey}
	keysArg     = Arg{Kind: ArgKey, Many: true}
	valueArg    = Arg{Kind: ArgValue}
	valuesArg   = Arg{Kind: ArgValue, Many: true}
	ttlArg      = Arg{Kind: ArgTTL}
	deltaArg    = Arg{Kind: ArgDelta, Optional: true}
	userArg     = Arg{Kind: ArgUser, Optional: true}
	passwordArg = Arg{Kind: ArgPassword}
)

// table is the one list of commands, in the order of HELP.
var table = []Command{
	{Verb: VerbSignup, Name: "SIGNUP", Args: []Arg{userArg, passwordArg}, BeforeLogin: true,
		Summary: "Create an account and log in to it."},
	{Verb: VerbLogin, Name: "LOGIN", Args: []Arg{userArg, passwordArg}, BeforeLogin: true,
		Summary: "Log in."},
	{Verb: VerbPasswd, Name: "PASSWD", Args: []Arg{{Kind: ArgPassword, Optional: true}, {Kind: ArgNewPassword}},
		Summary: "Change your password."},
	{Verb: VerbUnregister, Name: "UNREGISTER", Args: []Arg{passwordArg},
		Summary: "Remove your account and all you have stored, and close."},
	{Verb: VerbLogout, Name: "LOGOUT",
		Summary: "Back to before login, on the same connection."},
	{Verb: VerbWhoami, Name: "WHOAMI",
		Summary: "Print user, node and its role: leader, follower, candidate or replica."},

	{Verb: VerbSet, Name: "SET", Args: []Arg{keyArg, valueArg, {Kind: ArgSetOptions}}, Access: Writes,
		Summary: "Store a value: OK, EXISTS (NX) or NOT_FOUND (XX)."},
	{Verb: VerbSetEX, Name: "SETEX", Args: []Arg{keyArg, ttlArg, valueArg}, Access: Writes, As: VerbSet,
		Summary: "Store a value for a time: OK."},
	{Verb: VerbSetNX, Name: "SETNX", Args: []Arg{keyArg, valueArg}, Access: Writes, As: VerbSet,
		Summary: "Store a value if the key is new: OK or EXISTS."},
	{Verb: VerbGet, Name: "GET", Args: []Arg{keyArg}, Access: Reads,
		Summary: "Print the value, or NOT_FOUND."},
	{Verb: VerbGetV, Name: "GETV", Args: []Arg{keyArg}, Access: Reads,
		Summary: "Print VALUE version ttl value, or NOT_FOUND."},
	{Verb: VerbHas, Name: "HAS", Args: []Arg{keyArg}, Access: Reads,
		Summary: "Print true or false."},
	{Verb: VerbTTL, Name: "TTL", Args: []Arg{keyArg}, Access: Reads,
		Summary: "Print the seconds left, rounded up; NONE or NOT_FOUND."},
	{Verb: VerbMGet, Name: "MGET", Args: []Arg{keysArg}, Access: Reads,
		Summary: "Print a line for each key, in order, then END."},
	{Verb: VerbKeys, Name: "KEYS", Args: []Arg{{Kind: ArgPattern}}, Access: Reads,
		Summary: "Print keys in byte order, then END, or MORE k if there are more."},
	{Verb: VerbCount, Name: "COUNT", Access: Reads,
		Summary: "Print how many keys you have."},
	{Verb: VerbCAS, Name: "CAS", Args: []Arg{keyArg, {Kind: ArgVersion}, valueArg}, Access: Writes,
		Summary: "Store if the key still has that version: OK, CONFLICT version or NOT_FOUND."},
	{Verb: VerbDelete, Name: "DELETE", Args: []Arg{keysArg}, Access: Writes,
		Summary: "Remove keys (also DEL). One: OK or NOT_FOUND; several: how many there were."},
	{Verb: VerbIncr, Name: "INCR", Args: []Arg{keyArg, deltaArg}, Access: Writes,
		Summary: "Add n, or 1, to a number and print it."},
	{Verb: VerbDecr, Name: "DECR", Args: []Arg{keyArg, deltaArg}, Access: Writes, As: VerbIncr,
		Summary: "Subtract n, or 1, from a number and print it."},
	{Verb: VerbAppend, Name: "APPEND", Args: []Arg{keyArg, valueArg}, Access: Writes,
		Summary: "Add to the end of a value and print its new length in bytes."},
	{Verb: VerbExpire, Name: "EXPIRE", Args: []Arg{keyArg, ttlArg}, Access: Writes,
		Summary: "Forget the key after d: OK or NOT_FOUND."},
	{Verb: VerbPersist, Name: "PERSIST", Args: []Arg{keyArg}, Access: Writes,
		Summary: "Keep the key for good: OK or NOT_FOUND."},
	{Verb: VerbMSet, Name: "MSET", Args: []Arg{keysArg, valuesArg}, Access: Writes,
		Summary: "Store several values, all or none: OK."},
	{Verb: VerbFlush, Name: "FLUSH", Args: []Arg{{Kind: ArgConfirmation}}, Access: Writes,
		Summary: "Remove all you have stored: OK. The word ALL is the confirmation."},
	{Verb: VerbOnce, Name: "ONCE", Args: []Arg{{Kind: ArgOnceID}, {Kind: ArgCommand}},
		Summary: "Run a write, unless that id has been used: then print its first reply."},

	{Verb: VerbSync, Name: "SYNC",
		Summary: "Wait until this node has every write that anyone was told OK for: OK."},
	{Verb: VerbStats, Name: "STATS", Access: Reads,
		Summary: "Print lines of name and value about what you have stored, then END."},
	{Verb: VerbStatus, Name: "STATUS",
		Summary: "Print lines of name and value about this node, then END."},
	{Verb: VerbPing, Name: "PING", Args: []Arg{{Kind: ArgText, Optional: true}}, BeforeLogin: true,
		Summary: "Print PONG, or the text."},
	{Verb: VerbVersion, Name: "VERSION",
		Summary: "Print the version of the server."},
	{Verb: VerbHelp, Name: "HELP", Args: []Arg{{Kind: ArgTopic, Optional: true}}, BeforeLogin: true,
		Summary: "Print the commands, or more about one."},
	{Verb: VerbQuit, Name: "QUIT", BeforeLogin: true,
		Summary: "Close the connection (also EXIT, or Ctrl-D and Enter): BYE."},
}

// Commands returns the table of commands, in the order of HELP.
func Commands() []Command { return slices.Clone(table) }

// byVerb finds a row by its verb; VerbNone's is empty.
var byVerb [verbs]Command

func init() {
	for _, c := range table {
		byVerb[c.Verb] = c
	}
}

// Command returns the table's row of v, an empty one for VerbNone.
func (v Verb) Command() *Command {
	if v < verbs {
		return &byVerb[v]
	}
	return &byVerb[VerbNone]
}

// String returns the name of v in capitals, "" for VerbNone.
func (v Verb) String() string { return v.Command().Name }
