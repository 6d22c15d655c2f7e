package protocol

import "time"

// Verb is a command of the client protocol. The zero value is no verb.
type Verb uint8

// The verbs. Aliases (DEL, EXIT) parse to the verb they stand for.
const (
	VerbNone Verb = iota
	VerbSignup
	VerbLogin
	VerbPing
	VerbHelp
	VerbQuit
	VerbVersion
	VerbLogout
	VerbWhoami
	VerbStatus
	VerbStats
	VerbGet
	VerbGetV
	VerbHas
	VerbMGet
	VerbKeys
	VerbCount
	VerbTTL
	VerbSync
	VerbSet
	VerbSetEX
	VerbSetNX
	VerbCAS
	VerbDelete
	VerbIncr
	VerbDecr
	VerbAppend
	VerbExpire
	VerbPersist
	VerbMSet
	VerbFlush
	VerbOnce
	VerbPasswd
	VerbUnregister

	verbs // how many there are, VerbNone counted
)

// Request is one parsed line. Its byte slices point into the line (quoted words are decoded in
// place), so they are valid until the next line is read. A Request is reused from line to line.
type Request struct {
	Verb Verb
	// OnceID is set when the command came wrapped in ONCE; Verb is then the wrapped write.
	OnceID []byte

	Key   []byte
	Words [][]byte // DELETE, MGET: the keys. MSET: key, value, key, value, …
	Value []byte   // SET, SETEX, SETNX, CAS, APPEND; PING's text (nil: none); HELP's verb (nil: none)

	TTL    time.Duration // SET … EX, SETEX, EXPIRE; 0: none. Never below 1 ms.
	NX, XX bool          // SET; SETNX parses to VerbSet with NX, SETEX to VerbSet with TTL

	N       int64  // INCR: the delta. DECR parses to VerbIncr with the delta negated.
	Version uint64 // CAS

	Glob  []byte // KEYS; nil: every key
	Limit int    // KEYS; DefaultLimit unless given
	After []byte // KEYS; nil: from the first

	// User and Password are set by the one-line forms of SIGNUP and LOGIN (User is nil when the
	// session has to prompt), Password by UNREGISTER, Password and NewPassword by PASSWD
	// (both nil: prompt).
	User, Password, NewPassword []byte
	// BarePassword is Password as it stands in the line, if that is quoted and the line is not SIGNUP's; nil: there
	// is no such reading. It is to be tried once when Password is wrong, see Parser.password.
	BarePassword []byte
}

// Code is the machine-readable word of an error reply (interface 1.4).
type Code string

// The codes of error replies.
const (
	UnknownCommand     Code = "UNKNOWN_COMMAND"
	Syntax             Code = "SYNTAX"
	Args               Code = "ARGS"
	AuthRequired       Code = "AUTH_REQUIRED"
	AlreadyLoggedIn    Code = "ALREADY_LOGGED_IN"
	AuthFailed         Code = "AUTH_FAILED"
	UserExists         Code = "USER_EXISTS"
	BadUsername        Code = "BAD_USERNAME"
	BadPassword        Code = "BAD_PASSWORD"
	SignupClosed       Code = "SIGNUP_CLOSED"
	KeyTooLong         Code = "KEY_TOO_LONG"
	ValueTooLarge      Code = "VALUE_TOO_LARGE"
	LineTooLong        Code = "LINE_TOO_LONG"
	NotANumber         Code = "NOT_A_NUMBER"
	Overflow           Code = "OVERFLOW"
	MemoryFull         Code = "MEMORY_FULL"
	Quota              Code = "QUOTA"
	Busy               Code = "BUSY"
	TooManyConnections Code = "TOO_MANY_CONNECTIONS"
	Loading            Code = "LOADING"
	NoLeader           Code = "NO_LEADER"
	Timeout            Code = "TIMEOUT"
	ShuttingDown       Code = "SHUTTING_DOWN"
	IdleTimeout        Code = "IDLE_TIMEOUT"
	LoginTimeout       Code = "LOGIN_TIMEOUT"
	SessionEnded       Code = "SESSION_ENDED"
	Internal           Code = "INTERNAL"
)

// Error is an error reply: a code for programs and a message for people, printed as
// "ERR CODE message". The message holds no line break and never a value or a password.
type Error struct {
	Code    Code
	Message string
}

// Error returns the reply without its line end.
func (e *Error) Error() string { return "ERR " + string(e.Code) + " " + e.Message }

func fail(code Code, message string) *Error { return &Error{code, message} }

// The limits of the protocol, in bytes.
const (
	MaxKey       = 1024
	MaxUser      = 64
	MaxPassword  = 72
	MaxOnceID    = 64
	MaxValue     = 1 << 20   // what limits.max_value_size may be set to at most
	DefaultValue = 512 << 10 // limits.max_value_size unless configured
	MaxLoginLine = 512       // the longest line before login
	MaxWords     = 16384     // the most words in one line
)

// How many keys one KEYS answers.
const (
	DefaultLimit = 1000
	MaxLimit     = 1_000_000
)
