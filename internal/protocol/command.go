package protocol

import "slices"

// grammar says what may follow a verb.
type grammar uint8

const (
	argNone   grammar = iota
	argText           // nothing, or the rest of the line
	argWord           // nothing, or a word
	argLogin          // nothing, or a user and the rest of the line
	argPasswd         // nothing, or two words
	argRest           // the rest of the line
	argKey
	argKeys
	argKeyValue
	argKeyTTL
	argKeyTTLValue
	argKeyVersionValue
	argKeyNumber
	argSet
	argMSet
	argList
	argAll
	argOnce
)

// Command is a row of the command table.
type Command struct {
	Verb    Verb
	Name    string
	Aliases []string // other names that parse to Verb
	Like    []string // what other systems call it: only for "did you mean"
	Usage   string   // at most 38 bytes: HELP prints two in a line
	Summary string   // one line of at most 79 bytes, as all of Notes
	Notes   []string

	BeforeLogin bool // served before login
	Write       bool // a write of the cache: ONCE may wrap it

	args grammar
}

// table is the one list of commands, in the order of HELP.
var table = []Command{
	{
		Verb: VerbSignup, Name: "SIGNUP", Like: []string{"REGISTER"}, args: argLogin, BeforeLogin: true,
		Usage: "SIGNUP [user password]", Summary: "Create an account and log in to it.",
		Notes: []string{
			"Without arguments it asks. A user is 1 to 64 of A-Z a-z 0-9 . _ - @;",
			"a password is 1 to 72 bytes: the rest of the line, blanks at both ends cut off,",
			"or a quoted word.",
		},
	},
	{
		Verb: VerbLogin, Name: "LOGIN", Like: []string{"AUTH"}, args: argLogin, BeforeLogin: true,
		Usage: "LOGIN [user password]", Summary: "Log in.",
		Notes: []string{
			"Without arguments it asks. The password is the rest of the line, blanks at",
			"both ends cut off, or a quoted word.",
		},
	},
	{
		Verb: VerbPasswd, Name: "PASSWD", args: argPasswd,
		Usage: "PASSWD [old new]", Summary: "Change your password.",
		Notes: []string{
			"Without arguments it asks. Quote a password that has blanks or starts with \".",
			"Your other sessions are ended on every node.",
		},
	},
	{
		Verb: VerbUnregister, Name: "UNREGISTER", args: argRest,
		Usage: "UNREGISTER password", Summary: "Remove your account and all you have stored, and close.",
		Notes: []string{"The password is the rest of the line, blanks at both ends cut off, or a quoted", "word."},
	},
	{
		Verb: VerbLogout, Name: "LOGOUT",
		Usage: "LOGOUT", Summary: "Back to before login, on the same connection.",
	},
	{
		Verb: VerbWhoami, Name: "WHOAMI",
		Usage: "WHOAMI", Summary: "Print user, node and its role: leader, follower, candidate or replica.",
	},
	{
		Verb: VerbSet, Name: "SET", Like: []string{"PUT"}, args: argSet, Write: true,
		Usage: `SET k v | SET k "v" [EX d] [NX|XX]`, Summary: "Store a value: OK, EXISTS (NX) or NOT_FOUND (XX).",
		Notes: []string{
			"An unquoted value is the rest of the line, and is refused if it ends in what",
			"looks like an option. Options need a quoted one:",
			"EX d: forget it after d. NX: only a new key. XX: only a key that is there.",
			"Without EX a deadline that the key had is gone.",
			"  SET greeting hello, world",
			`  SET token "abc" EX 10m NX`,
		},
	},
	{
		Verb: VerbSetEX, Name: "SETEX", Like: []string{"PSETEX"}, args: argKeyTTLValue, Write: true,
		Usage: "SETEX k d v", Summary: "Store a value for a time: OK.",
		Notes: []string{
			"The value is quoted or the rest of the line.",
			"A duration is 1ms to 36500d; parts of a millisecond are cut off.",
			"  SETEX token 1.5h abc",
		},
	},
	{
		Verb: VerbSetNX, Name: "SETNX", Like: []string{"ADD"}, args: argKeyValue, Write: true,
		Usage: "SETNX k v", Summary: "Store a value if the key is new: OK or EXISTS.",
		Notes: []string{
			"The value is quoted or the rest of the line, without options at its end:",
			`  SET lock "token" EX 60 NX`,
		},
	},
	{
		Verb: VerbGet, Name: "GET", args: argKey,
		Usage: "GET k", Summary: "Print the value, or NOT_FOUND.",
		Notes: []string{
			"A line that starts with \" is a quoted value; all others are the value itself.",
			"Served by this node's copy; SYNC first, to see what others have just written.",
		},
	},
	{
		Verb: VerbGetV, Name: "GETV", Like: []string{"GETS"}, args: argKey,
		Usage: "GETV k", Summary: "Print VALUE version ttl value, or NOT_FOUND.",
		Notes: []string{"The version is for CAS; the ttl is in seconds, - for none."},
	},
	{
		Verb: VerbHas, Name: "HAS", Like: []string{"EXISTS"}, args: argKey,
		Usage: "HAS k", Summary: "Print true or false.",
	},
	{
		Verb: VerbTTL, Name: "TTL", Like: []string{"PTTL"}, args: argKey,
		Usage: "TTL k", Summary: "Print the seconds left, rounded up; NONE or NOT_FOUND.",
	},
	{
		Verb: VerbMGet, Name: "MGET", args: argKeys,
		Usage: "MGET k ...", Summary: "Print a line for each key, in order, then END.",
		Notes: []string{"All are read at one moment. At most 16,384 keys."},
	},
	{
		Verb: VerbKeys, Name: "KEYS", Like: []string{"SCAN", "LIST", "LS"}, args: argList,
		Usage: "KEYS [glob] [LIMIT n] [AFTER k]", Summary: "Print keys in byte order, then END, or MORE k where cut.",
		Notes: []string{
			"Glob: * ? [a-z] [^a-z], a backslash makes the next character ordinary.",
			"LIMIT is 1,000 unless given, 1,000,000 at most. To go on after MORE k: AFTER k.",
			"A key is printed so that it can be given as a word: quoted, if it has a blank.",
			"BUSY: too many KEYS run on this node, or the pattern is too much work for so",
			"many keys, as ? and [ ] behind a * can be.",
			"  KEYS user:* LIMIT 10 AFTER user:7",
		},
	},
	{
		Verb: VerbCount, Name: "COUNT", Like: []string{"DBSIZE"},
		Usage: "COUNT", Summary: "Print how many keys you have.",
	},
	{
		Verb: VerbCAS, Name: "CAS", args: argKeyVersionValue, Write: true,
		Usage: "CAS k version v", Summary: "Store if the version is still that: OK, CONFLICT version or NOT_FOUND.",
		Notes: []string{
			"GETV prints versions. The value is quoted or the rest of the line.",
			"As with SET, a deadline that the key had is gone.",
		},
	},
	{
		Verb: VerbDelete, Name: "DELETE", Aliases: []string{"DEL"}, Like: []string{"UNLINK", "REMOVE", "RM"},
		args: argKeys, Write: true,
		Usage: "DELETE k ...", Summary: "Remove keys (also DEL). One: OK or NOT_FOUND; several: how many there were.",
		Notes: []string{"At most 16,384 keys."},
	},
	{
		Verb: VerbIncr, Name: "INCR", Like: []string{"INCRBY"}, args: argKeyNumber, Write: true,
		Usage: "INCR k [n]", Summary: "Add n, or 1, to a number and print it.",
		Notes: []string{"Numbers are 64-bit signed. A missing key counts as 0; a deadline stays."},
	},
	{
		Verb: VerbDecr, Name: "DECR", Like: []string{"DECRBY"}, args: argKeyNumber, Write: true,
		Usage: "DECR k [n]", Summary: "Take n, or 1, from a number and print it.",
		Notes: []string{"Numbers are 64-bit signed. A missing key counts as 0; a deadline stays."},
	},
	{
		Verb: VerbAppend, Name: "APPEND", args: argKeyValue, Write: true,
		Usage: "APPEND k v", Summary: "Add to the end of a value and print its new length in bytes.",
		Notes: []string{"The value is quoted or the rest of the line. Quote it to keep outer blanks."},
	},
	{
		Verb: VerbExpire, Name: "EXPIRE", Like: []string{"PEXPIRE", "TOUCH"}, args: argKeyTTL, Write: true,
		Usage: "EXPIRE k d", Summary: "Forget the key after d: OK or NOT_FOUND.",
		Notes: []string{
			"A duration is 1ms to 36500d; parts of a millisecond are cut off.",
			"The key has a new version after it, as after every change.",
			"  EXPIRE session 30m",
		},
	},
	{
		Verb: VerbPersist, Name: "PERSIST", args: argKey, Write: true,
		Usage: "PERSIST k", Summary: "Keep the key for good: OK or NOT_FOUND.",
		Notes: []string{"The key has a new version after it, as after every change."},
	},
	{
		Verb: VerbMSet, Name: "MSET", args: argMSet, Write: true,
		Usage: "MSET k v [k v] ...", Summary: "Store several values, all or none: OK.",
		Notes: []string{"Each is one word: quote a value that has blanks. At most 16,384 words."},
	},
	{
		Verb: VerbFlush, Name: "FLUSH", Like: []string{"FLUSHALL", "FLUSHDB", "FLUSH_ALL", "CLEAR"}, args: argAll, Write: true,
		Usage: "FLUSH ALL", Summary: "Remove all you have stored: OK. The word ALL is the confirmation.",
	},
	{
		Verb: VerbOnce, Name: "ONCE", args: argOnce,
		Usage: "ONCE id command", Summary: "Run a write, unless that id has been used: then print its first reply.",
		Notes: []string{
			"The id is yours: 1 to 64 bytes. Send a write again, after TIMEOUT or on another",
			"node, without doing it twice. Remembered for 10 minutes and 1,000 ids at least.",
			"  ONCE order-17 INCR stock -1",
		},
	},
	{
		Verb: VerbSync, Name: "SYNC",
		Usage: "SYNC", Summary: "Wait until this node has every write that anyone was told OK for: OK.",
	},
	{
		Verb: VerbStats, Name: "STATS",
		Usage: "STATS", Summary: "Print lines of name and value about what you have stored, then END.",
	},
	{
		Verb: VerbStatus, Name: "STATUS", Like: []string{"INFO"},
		Usage: "STATUS", Summary: "Print lines of name and value about this node, then END.",
	},
	{
		Verb: VerbPing, Name: "PING", Like: []string{"ECHO"}, args: argText, BeforeLogin: true,
		Usage: "PING [text]", Summary: "Print PONG, or the text.",
	},
	{
		Verb: VerbVersion, Name: "VERSION",
		Usage: "VERSION", Summary: "Print the version of the server.",
	},
	{
		Verb: VerbHelp, Name: "HELP", Like: []string{"?", "MAN"}, args: argWord, BeforeLogin: true,
		Usage: "HELP [verb]", Summary: "Print the commands, or more about one.",
	},
	{
		Verb: VerbQuit, Name: "QUIT", Aliases: []string{"EXIT"}, Like: []string{"BYE", "LOGOFF"}, BeforeLogin: true,
		Usage: "QUIT", Summary: "Close the connection (also EXIT, or Ctrl-D and Enter): BYE.",
	},
}

// Commands returns the command table in the order of HELP.
func Commands() []Command { return slices.Clone(table) }

// byVerb finds a row by verb; byLetter finds names and aliases by the low bits of their first
// letter, the same for both cases.
var (
	byVerb   [VerbUnregister + 1]*Command
	byLetter [32][]nameRow
)

type nameRow struct {
	name string
	cmd  *Command
}

func init() {
	for i := range table {
		cmd := &table[i]
		byVerb[cmd.Verb] = cmd
		for _, name := range append([]string{cmd.Name}, cmd.Aliases...) {
			rows := &byLetter[name[0]&31]
			*rows = append(*rows, nameRow{name, cmd})
		}
	}
}

// find returns the command of that name or alias in any case, nil if there is none.
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

// Lookup returns the verb of a name or alias in any case. It does not allocate.
func Lookup(word []byte) (Verb, bool) {
	if cmd := find(word); cmd != nil {
		return cmd.Verb, true
	}
	return VerbNone, false
}

var noCommand Command

// row returns the table's row of v, an empty one for VerbNone.
func (v Verb) row() *Command {
	if int(v) < len(byVerb) && byVerb[v] != nil {
		return byVerb[v]
	}
	return &noCommand
}

// String returns the name of v in capitals, "" for VerbNone.
func (v Verb) String() string { return v.row().Name }

// BeforeLogin reports whether v is served before login.
func (v Verb) BeforeLogin() bool { return v.row().BeforeLogin }

// IsWrite reports whether v writes to the cache, so that ONCE may wrap it.
func (v Verb) IsWrite() bool { return v.row().Write }
