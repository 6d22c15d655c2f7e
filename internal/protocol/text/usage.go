package text

import "ciderd/internal/protocol"

// usage is what this protocol adds to a row of the table of commands.
type usage struct {
	verb    protocol.Verb
	aliases []string // other names for it
	like    []string // what other systems call it: only for "did you mean"
	usage   string   // at most 38 bytes: HELP prints two in a line
	notes   []string // lines of at most 79 bytes
}

var usages = []usage{
	{
		verb: protocol.VerbSignup, like: []string{"REGISTER"},
		usage: "SIGNUP [user password]",
		notes: []string{
			"Without arguments it asks. A user is 1 to 64 of A-Z a-z 0-9 . _ - @;",
			"a password is 1 to 72 bytes: the rest of the line, without blanks at its ends,",
			"or a quoted word.",
		},
	},
	{
		verb: protocol.VerbLogin, like: []string{"AUTH"},
		usage: "LOGIN [user password]",
		notes: []string{
			"Without arguments it asks. The password is the rest of the line, without",
			"blanks at its ends, or a quoted word.",
		},
	},
	{
		verb:  protocol.VerbPasswd,
		usage: "PASSWD [old new]",
		notes: []string{
			"Without arguments it asks. Quote a password that has blanks or starts with \".",
			"Your other sessions are ended on every node.",
		},
	},
	{
		verb:  protocol.VerbUnregister,
		usage: "UNREGISTER password",
		notes: []string{"The password is the rest of the line, without blanks at its ends, or a quoted", "word."},
	},
	{
		verb:  protocol.VerbLogout,
		usage: "LOGOUT",
	},
	{
		verb:  protocol.VerbWhoami,
		usage: "WHOAMI",
	},
	{
		verb: protocol.VerbSet, like: []string{"PUT"},
		usage: `SET k v | SET k "v" [EX d] [NX|XX]`,
		notes: []string{
			"An unquoted value is the rest of the line, and is refused if it ends in what",
			"looks like an option. Options need a quoted one:",
			"EX d: forget it after d. NX: only a new key. XX: only a key that is there.",
			"Without EX a deadline that the key had is gone.",
			"  SET greeting hello, world",
			`  SET token "abc" EX 10m NX`,
		},
	},
	{
		verb: protocol.VerbSetEX, like: []string{"PSETEX"},
		usage: "SETEX k d v",
		notes: []string{
			"The value is quoted or the rest of the line.",
			"A duration is 1ms to 36500d; fractions of a millisecond are dropped.",
			"  SETEX token 1.5h abc",
		},
	},
	{
		verb: protocol.VerbSetNX, like: []string{"ADD"},
		usage: "SETNX k v",
		notes: []string{
			"The value is quoted or the rest of the line, without options at its end:",
			`  SET lock "token" EX 60 NX`,
		},
	},
	{
		verb:  protocol.VerbGet,
		usage: "GET k",
		notes: []string{
			"A line that starts with \" is a quoted value; all others are the value itself.",
			"Served by this node's copy; SYNC first, to see what others have just written.",
		},
	},
	{
		verb: protocol.VerbGetV, like: []string{"GETS"},
		usage: "GETV k",
		notes: []string{"The version is for CAS; the ttl is in seconds, - for none."},
	},
	{
		verb: protocol.VerbHas, like: []string{"EXISTS"},
		usage: "HAS k",
	},
	{
		verb: protocol.VerbTTL, like: []string{"PTTL"},
		usage: "TTL k",
	},
	{
		verb:  protocol.VerbMGet,
		usage: "MGET k ...",
		notes: []string{"All are read at one moment. At most 16,384 keys."},
	},
	{
		verb: protocol.VerbKeys, like: []string{"SCAN", "LIST", "LS"},
		usage: "KEYS [glob] [LIMIT n] [AFTER k]",
		notes: []string{
			"Glob: * ? [a-z] [^a-z], a backslash makes the next character ordinary.",
			"LIMIT is 1,000 unless given, 1,000,000 at most. To go on after MORE k: AFTER k.",
			"A key is printed so that it can be given as a word: quoted, if it has a blank.",
			"BUSY: too many KEYS run on this node, or the pattern is too much work for so",
			"many keys, as ? and [ ] behind a * can be.",
			"  KEYS user:* LIMIT 10 AFTER user:7",
		},
	},
	{
		verb: protocol.VerbCount, like: []string{"DBSIZE"},
		usage: "COUNT",
	},
	{
		verb:  protocol.VerbCAS,
		usage: "CAS k version v",
		notes: []string{
			"GETV prints versions. The value is quoted or the rest of the line.",
			"As with SET, a deadline that the key had is gone.",
		},
	},
	{
		verb: protocol.VerbDelete, aliases: []string{"DEL"}, like: []string{"UNLINK", "REMOVE", "RM"},

		usage: "DELETE k ...",
		notes: []string{"At most 16,384 keys."},
	},
	{
		verb: protocol.VerbIncr, like: []string{"INCRBY"},
		usage: "INCR k [n]",
		notes: []string{"Numbers are 64-bit signed. A missing key counts as 0; a deadline stays."},
	},
	{
		verb: protocol.VerbDecr, like: []string{"DECRBY"},
		usage: "DECR k [n]",
		notes: []string{"Numbers are 64-bit signed. A missing key counts as 0; a deadline stays."},
	},
	{
		verb:  protocol.VerbAppend,
		usage: "APPEND k v",
		notes: []string{"The value is quoted or the rest of the line. Quote it to keep outer blanks."},
	},
	{
		verb: protocol.VerbExpire, like: []string{"PEXPIRE", "TOUCH"},
		usage: "EXPIRE k d",
		notes: []string{
			"A duration is 1ms to 36500d; fractions of a millisecond are dropped.",
			"The key has a new version after it, as after every change.",
			"  EXPIRE session 30m",
		},
	},
	{
		verb:  protocol.VerbPersist,
		usage: "PERSIST k",
		notes: []string{"The key has a new version after it, as after every change."},
	},
	{
		verb:  protocol.VerbMSet,
		usage: "MSET k v [k v] ...",
		notes: []string{"Each is one word: quote a value that has blanks. At most 16,384 words."},
	},
	{
		verb: protocol.VerbFlush, like: []string{"FLUSHALL", "FLUSHDB", "FLUSH_ALL", "CLEAR"},
		usage: "FLUSH ALL",
	},
	{
		verb:  protocol.VerbOnce,
		usage: "ONCE id command",
		notes: []string{
			"The id is yours: 1 to 64 bytes. Send a write again, after TIMEOUT or on another",
			"node, without doing it twice. Remembered for 10 minutes and 1,000 ids at least.",
			"  ONCE order-17 INCR stock -1",
		},
	},
	{
		verb:  protocol.VerbSync,
		usage: "SYNC",
	},
	{
		verb:  protocol.VerbStats,
		usage: "STATS",
	},
	{
		verb: protocol.VerbStatus, like: []string{"INFO"},
		usage: "STATUS",
	},
	{
		verb: protocol.VerbPing, like: []string{"ECHO"},
		usage: "PING [text]",
	},
	{
		verb:  protocol.VerbVersion,
		usage: "VERSION",
	},
	{
		verb: protocol.VerbHelp, like: []string{"?", "MAN"},
		usage: "HELP [verb]",
	},
	{
		verb: protocol.VerbQuit, aliases: []string{"EXIT"}, like: []string{"BYE", "LOGOFF"},
		usage: "QUIT",
	},
}
