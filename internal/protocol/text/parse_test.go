package text

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"ciderd/internal/protocol"
)

func b(s string) []byte { return []byte(s) }

func words(ss ...string) (w [][]byte) {
	for _, s := range ss {
		w = append(w, b(s))
	}
	return w
}

var (
	maxKey  = strings.Repeat("k", protocol.MaxKey)
	longKey = maxKey + "k"
)

// parsed are lines and what they mean.
var parsed = map[string]protocol.Request{
	"":                                       {},
	" \t ":                                   {},
	"\x04":                                   {Verb: protocol.VerbQuit},
	"quit":                                   {Verb: protocol.VerbQuit},
	"Exit ":                                  {Verb: protocol.VerbQuit},
	"PING":                                   {Verb: protocol.VerbPing},
	"PING  hello  world ":                    {Verb: protocol.VerbPing, Value: b("hello  world")},
	`PING "a b"`:                             {Verb: protocol.VerbPing, Value: b("a b")},
	"HELP":                                   {Verb: protocol.VerbHelp},
	"help set":                               {Verb: protocol.VerbHelp, Value: b("set")},
	"VERSION":                                {Verb: protocol.VerbVersion},
	"LOGOUT":                                 {Verb: protocol.VerbLogout},
	"WHOAMI":                                 {Verb: protocol.VerbWhoami},
	"STATS":                                  {Verb: protocol.VerbStats},
	"STATUS":                                 {Verb: protocol.VerbStatus},
	"COUNT":                                  {Verb: protocol.VerbCount},
	"SYNC":                                   {Verb: protocol.VerbSync},
	"SIGNUP":                                 {Verb: protocol.VerbSignup},
	"LOGIN":                                  {Verb: protocol.VerbLogin},
	"login alice secret":                     {Verb: protocol.VerbLogin, User: b("alice"), Password: b("secret")},
	"SIGNUP  alice \t my  \"secret\" ":       {Verb: protocol.VerbSignup, User: b("alice"), Password: b(`my  "secret"`)},
	`LOGIN "alice" "a\x41 b"`:                {Verb: protocol.VerbLogin, User: b("alice"), Password: b("aA b"), BarePassword: b(`"a\x41 b"`)},
	`LOGIN alice "no end`:                    {Verb: protocol.VerbLogin, User: b("alice"), Password: b(`"no end`)},
	`LOGIN alice "a" b`:                      {Verb: protocol.VerbLogin, User: b("alice"), Password: b(`"a" b`)},
	`SIGNUP alice "a b"`:                     {Verb: protocol.VerbSignup, User: b("alice"), Password: b("a b")},
	`UNREGISTER "a b"`:                       {Verb: protocol.VerbUnregister, Password: b("a b"), BarePassword: b(`"a b"`)},
	`PASSWD "old" new`:                       {Verb: protocol.VerbPasswd, Password: b("old"), BarePassword: b(`"old"`), NewPassword: b("new")},
	`PASSWD "old new`:                        {Verb: protocol.VerbPasswd, Password: b(`"old`), NewPassword: b("new")},
	`PASSWD "o ld" new`:                      {Verb: protocol.VerbPasswd, Password: b("o ld"), NewPassword: b("new")},
	`PASSWD "old" ` + maxKey[:72]:            {Verb: protocol.VerbPasswd, Password: b("old"), BarePassword: b(`"old"`), NewPassword: b(maxKey[:72])},
	"PASSWD":                                 {Verb: protocol.VerbPasswd},
	`PASSWD old "new one"`:                   {Verb: protocol.VerbPasswd, Password: b("old"), NewPassword: b("new one")},
	"UNREGISTER my \"secret":                 {Verb: protocol.VerbUnregister, Password: b(`my "secret`)},
	"GET foo":                                {Verb: protocol.VerbGet, Key: b("foo")},
	"\tget\t foo \t":                         {Verb: protocol.VerbGet, Key: b("foo")},
	`GET "a b\n"`:                            {Verb: protocol.VerbGet, Key: b("a b\n")},
	`GET a"b`:                                {Verb: protocol.VerbGet, Key: b(`a"b`)},
	"GET " + maxKey:                          {Verb: protocol.VerbGet, Key: b(maxKey)},
	"GETV k":                                 {Verb: protocol.VerbGetV, Key: b("k")},
	"HAS k":                                  {Verb: protocol.VerbHas, Key: b("k")},
	"TTL k":                                  {Verb: protocol.VerbTTL, Key: b("k")},
	"PERSIST k":                              {Verb: protocol.VerbPersist, Key: b("k")},
	"SET foo bar":                            {Verb: protocol.VerbSet, Key: b("foo"), Value: b("bar")},
	"SET foo  a  \"b\" c\t":                  {Verb: protocol.VerbSet, Key: b("foo"), Value: b(`a  "b" c`)},
	`SET "a b" c`:                            {Verb: protocol.VerbSet, Key: b("a b"), Value: b("c")},
	`SET k ""`:                               {Verb: protocol.VerbSet, Key: b("k"), Value: b("")},
	`SET k "a\x00b" ex 1.5m nx`:              {Verb: protocol.VerbSet, Key: b("k"), Value: b("a\x00b"), TTL: 90 * time.Second, NX: true},
	`SET k "v" XX EX 5`:                      {Verb: protocol.VerbSet, Key: b("k"), Value: b("v"), TTL: 5 * time.Second, XX: true},
	`SET k "v EX 60"`:                        {Verb: protocol.VerbSet, Key: b("k"), Value: b("v EX 60")},
	"SET k EX 60":                            {Verb: protocol.VerbSet, Key: b("k"), Value: b("EX 60")},
	"SET k NX":                               {Verb: protocol.VerbSet, Key: b("k"), Value: b("NX")},
	"SET k v nx":                             {Verb: protocol.VerbSet, Key: b("k"), Value: b("v nx")},
	`SET k "v" "ex" "60" "NX"`:               {Verb: protocol.VerbSet, Key: b("k"), Value: b("v"), TTL: time.Minute, NX: true},
	`FLUSH "all"`:                            {Verb: protocol.VerbFlush},
	`KEYS "LIMIT" "LIMIT" "5" "AFTER" "a b"`: {Verb: protocol.VerbKeys, Glob: b("LIMIT"), Limit: 5, After: b("a b")},
	"SET k v\rw\x00":                         {Verb: protocol.VerbSet, Key: b("k"), Value: b("v\rw\x00")},
	`SETEX k "200ms" "v EX 60"`:              {Verb: protocol.VerbSet, Key: b("k"), Value: b("v EX 60"), TTL: 200 * time.Millisecond},
	`SETEX k 7d "v w"`:                       {Verb: protocol.VerbSet, Key: b("k"), Value: b("v w"), TTL: 7 * 24 * time.Hour},
	"SETNX k v w":                            {Verb: protocol.VerbSet, Key: b("k"), Value: b("v w"), NX: true},
	"CAS k 18446744073709551615 v w":         {Verb: protocol.VerbCAS, Key: b("k"), Version: 1<<64 - 1, Value: b("v w")},
	`CAS k 0 ""`:                             {Verb: protocol.VerbCAS, Key: b("k"), Value: b("")},
	"APPEND k v w":                           {Verb: protocol.VerbAppend, Key: b("k"), Value: b("v w")},
	"DELETE a":                               {Verb: protocol.VerbDelete, Words: words("a")},
	`del a "b c" d`:                          {Verb: protocol.VerbDelete, Words: words("a", "b c", "d")},
	"MGET a b":                               {Verb: protocol.VerbMGet, Words: words("a", "b")},
	`MSET a 1 b "" "c d" "e f"`:              {Verb: protocol.VerbMSet, Words: words("a", "1", "b", "", "c d", "e f")},
	"INCR k":                                 {Verb: protocol.VerbIncr, Key: b("k"), N: 1},
	"INCR k -9223372036854775808":            {Verb: protocol.VerbIncr, Key: b("k"), N: -1 << 63},
	"DECR k":                                 {Verb: protocol.VerbIncr, Key: b("k"), N: -1},
	"DECR k 9223372036854775807":             {Verb: protocol.VerbIncr, Key: b("k"), N: -(1<<63 - 1)},
	"DECR k 0":                               {Verb: protocol.VerbIncr, Key: b("k")},
	"EXPIRE k 2h":                            {Verb: protocol.VerbExpire, Key: b("k"), TTL: 2 * time.Hour},
	"KEYS":                                   {Verb: protocol.VerbKeys, Limit: 1000},
	"KEYS user:*":                            {Verb: protocol.VerbKeys, Limit: 1000, Glob: b("user:*")},
	"KEYS LIMIT 5":                           {Verb: protocol.VerbKeys, Limit: 5},
	"keys after x limit 1000000":             {Verb: protocol.VerbKeys, Limit: 1000000, After: b("x")},
	`KEYS "limit" AFTER "a b"`:               {Verb: protocol.VerbKeys, Limit: 1000, Glob: b("limit"), After: b("a b")},
	"KEYS AFTER LIMIT LIMIT 7":               {Verb: protocol.VerbKeys, Limit: 7, After: b("LIMIT")},
	`KEYS ""`:                                {Verb: protocol.VerbKeys, Limit: 1000, Glob: b("")},
	"FLUSH all":                              {Verb: protocol.VerbFlush},
	"ONCE id-1 SET k v w":                    {Verb: protocol.VerbSet, OnceID: b("id-1"), Key: b("k"), Value: b("v w")},
	`once "my id" del a b`:                   {Verb: protocol.VerbDelete, OnceID: b("my id"), Words: words("a", "b")},
	"ONCE 1 DECR k 5":                        {Verb: protocol.VerbIncr, OnceID: b("1"), Key: b("k"), N: -5},
	"ONCE 1 FLUSH ALL":                       {Verb: protocol.VerbFlush, OnceID: b("1")},
	"ONCE " + maxKey[:64] + " CAS k 1 v":     {Verb: protocol.VerbCAS, OnceID: b(maxKey[:64]), Key: b("k"), Version: 1, Value: b("v")},
	"DEL " + strings.Repeat("k ", 16384):     {Verb: protocol.VerbDelete, Words: words(strings.Fields(strings.Repeat("k ", 16384))...)},
}

func TestParse(t *testing.T) {
	for line, want := range parsed {
		var p Parser
		req := protocol.Request{Verb: protocol.VerbOnce, OnceID: b("old"), Key: b("old"), NX: true, Limit: 1, User: b("old")}
		err := p.Parse(b(line), &req)
		if err != nil {
			t.Errorf("%.60q: %v", line, err)
		} else if !reflect.DeepEqual(req, want) {
			t.Errorf("%.60q: got %+v, want %+v", line, req, want)
		}
	}
}

// refused are lines and how their errors begin, with a limit of 20 bytes on values.
var refused = map[string]string{
	"FROBNICATE":                         "UNKNOWN_COMMAND unknown command; HELP lists the commands",
	"GTE k":                              "UNKNOWN_COMMAND GTE is not a command; did you mean GET?",
	"sett k v":                           "UNKNOWN_COMMAND SETT is not a command; did you mean SET?",
	"DELTE k":                            "UNKNOWN_COMMAND DELTE is not a command; did you mean DELETE?",
	"flushall":                           "UNKNOWN_COMMAND FLUSHALL is not a command; did you mean FLUSH?",
	"put k v":                            "UNKNOWN_COMMAND PUT is not a command; did you mean SET?",
	"G\x1b[2J":                           "UNKNOWN_COMMAND unknown command",
	"s3t":                                "UNKNOWN_COMMAND unknown command",
	`"GET" k`:                            "UNKNOWN_COMMAND unknown command",
	"\x04\x04":                           "UNKNOWN_COMMAND unknown command",
	"GET":                                "ARGS usage: GET k",
	"GET a b":                            "ARGS usage: GET k",
	"SYNC now":                           "ARGS usage: SYNC",
	"QUIT now":                           "ARGS usage: QUIT",
	"HELP a b":                           "ARGS usage: HELP [verb]",
	"LOGIN alice":                        "ARGS usage: LOGIN [user password]",
	"SIGNUP alice ":                      "ARGS usage: SIGNUP [user password]",
	"PASSWD old":                         "ARGS usage: PASSWD [old new]",
	"PASSWD a b c":                       "ARGS usage: PASSWD [old new]",
	"UNREGISTER":                         "ARGS usage: UNREGISTER password",
	"SET":                                "ARGS usage: SET k v | SET k \"v\" [EX d] [NX|XX]",
	"SET k ":                             "ARGS usage: SET k v | SET k \"v\" [EX d] [NX|XX]",
	`SET k "v" EX`:                       "ARGS usage: SET",
	`SET k "v`:                           "SYNTAX the closing quote is missing",
	`SET k "v"w`:                         "SYNTAX a blank must follow the closing quote",
	`SET k "v" w`:                        "SYNTAX only EX d",
	`SET k "v" PX 60`:                    "SYNTAX only EX d",
	`SET k "v" NX XX`:                    "SYNTAX NX and XX",
	`SET k "v" NX NX`:                    "SYNTAX only EX d",
	`SET k "v" EX 1 EX 2`:                "SYNTAX only EX d",
	`SET k "v" EX 0`:                     "SYNTAX the duration is too short",
	`SET k "\q"`:                         "SYNTAX unknown escape",
	"SET k v EX 60":                      "SYNTAX the end of the value looks like an option and would be stored as text; use SETEX k d v, or quote the value",
	"SET k v px 60ms ":                   "SYNTAX the end of the value looks like an option and would be stored as text; use SETEX",
	"SET k some text\tTTL 5m":            "SYNTAX the end of the value looks like an option and would be stored as text; use SETEX",
	"SET k v EX 60 NX":                   "SYNTAX the end of the value looks like an option and would be stored as text; use SETEX",
	"SET lock a NX":                      "SYNTAX the end of the value looks like an option and would be stored as text; use SETEX",
	"SETNX lk tok EX 60":                 "SYNTAX the end of the value looks like an option and would be stored as text; use SETEX",
	"SETEX k 60 v KEEPTTL":               "SYNTAX the end of the value looks like an option and would be stored as text; use SETEX",
	"APPEND k v EX 60S":                  "SYNTAX the end of the value looks like an option and would be stored as text; use SETEX",
	"CAS k 1 v EX -1":                    "SYNTAX the end of the value looks like an option and would be stored as text; use SETEX",
	"ONCE id SET k v PXAT 5":             "SYNTAX the end of the value looks like an option and would be stored as text; use SETEX",
	`SIGNUP alice "no end`:               "SYNTAX the closing quote is missing",
	`SIGNUP alice "a" b`:                 "SYNTAX nothing may follow the quoted password",
	`PASSWD old "no end`:                 "SYNTAX the closing quote is missing",
	"INCR k +5":                          "NOT_A_NUMBER",
	"INCR k 007":                         "NOT_A_NUMBER",
	"DECR k -0":                          "NOT_A_NUMBER",
	"INCR k -":                           "NOT_A_NUMBER",
	`SET "" v`:                           "SYNTAX a key has at least one byte",
	`GET ""`:                             "SYNTAX a key has at least one byte",
	`MGET a ""`:                          "SYNTAX a key has at least one byte",
	"GET " + longKey:                     "KEY_TOO_LONG a key has at most 1024 bytes; this one has 1025",
	"DEL a " + longKey:                   "KEY_TOO_LONG",
	"MSET " + longKey + " v":             "KEY_TOO_LONG",
	"KEYS " + longKey:                    "KEY_TOO_LONG",
	"KEYS AFTER " + longKey:              "KEY_TOO_LONG",
	"SET k 123456789012345678901":        "VALUE_TOO_LARGE a value has at most 20 bytes; this one has 21",
	`SET k "123456789012345678901"`:      "VALUE_TOO_LARGE",
	"SETEX k 1 123456789012345678901":    "VALUE_TOO_LARGE",
	"MSET k 123456789012345678901":       "VALUE_TOO_LARGE",
	"APPEND k 123456789012345678901":     "VALUE_TOO_LARGE",
	"SETEX k 60":                         "ARGS usage: SETEX k d v",
	"SETEX k v 60":                       "SYNTAX a duration is",
	`SETNX k "v" NX`:                     "SYNTAX nothing may follow the quoted value",
	"CAS k 1":                            "ARGS usage: CAS k version v",
	"CAS k one v":                        "NOT_A_NUMBER",
	"CAS k -1 v":                         "NOT_A_NUMBER",
	"CAS k 18446744073709551616 v":       "OVERFLOW",
	"INCR k 1.5":                         "NOT_A_NUMBER",
	`INCR k ""`:                          "NOT_A_NUMBER",
	"INCR k 9223372036854775808":         "OVERFLOW",
	"DECR k -9223372036854775808":        "OVERFLOW",
	"INCR k 1 2":                         "ARGS usage: INCR k [n]",
	"EXPIRE k":                           "ARGS usage: EXPIRE k d",
	"EXPIRE k -5":                        "SYNTAX a duration is",
	"DELETE":                             "ARGS usage: DELETE k ...",
	"MSET a":                             "ARGS usage: MSET k v [k v] ...",
	"MSET a 1 b":                         "ARGS usage: MSET k v [k v] ...",
	"DEL " + strings.Repeat("k ", 16385): "SYNTAX a line has at most 16384 words",
	"KEYS a b":                           "ARGS usage: KEYS",
	"KEYS LIMIT":                         "ARGS usage: KEYS",
	"KEYS AFTER":                         "ARGS usage: KEYS",
	"KEYS LIMIT 1 LIMIT 2":               "ARGS usage: KEYS",
	"KEYS LIMIT 0":                       "SYNTAX LIMIT is from 1",
	"KEYS LIMIT 1000001":                 "SYNTAX LIMIT is from 1",
	"KEYS LIMIT x":                       "NOT_A_NUMBER",
	"KEYS LIMIT 99999999999999999999":    "OVERFLOW",
	"FLUSH":                              "ARGS usage: FLUSH ALL (the word ALL is the confirmation)",
	"FLUSH everything":                   "ARGS usage: FLUSH ALL (the word ALL",
	"FLUSH ALL now":                      "ARGS usage: FLUSH ALL",
	"ONCE":                               "ARGS usage: ONCE id command",
	"ONCE id":                            "ARGS usage: ONCE id command",
	`ONCE "" SET k v`:                    "SYNTAX the id of ONCE has 1 to 64 bytes",
	"ONCE " + longKey[:65] + " SET k v":  "SYNTAX the id of ONCE has 1 to 64 bytes",
	"ONCE id GET k":                      "SYNTAX ONCE takes a command that writes to the cache; GET does not",
	"ONCE id ONCE id SET k v":            "SYNTAX ONCE takes a command that writes",
	"ONCE id PASSWD a b":                 "SYNTAX ONCE takes a command that writes",
	"ONCE id UNREGISTER a":               "SYNTAX ONCE takes a command that writes",
	"ONCE id SIGNUP a b":                 "SYNTAX ONCE takes a command that writes",
	"ONCE id SET k":                      "ARGS usage: SET k v",
	"ONCE id STE k v":                    "UNKNOWN_COMMAND STE is not a command; did you mean SET?",
}

func TestParseErrors(t *testing.T) {
	for line, want := range refused {
		p := Parser{MaxValue: 20}
		var req protocol.Request
		err := p.Parse(b(line), &req)
		if err == nil || !strings.HasPrefix(err.Error(), "ERR "+want) {
			t.Errorf("%.60q: got %v, want %s", line, err, want)
		}
		if cmd := find(b(strings.Fields(line)[0])); cmd != nil && req.Verb == protocol.VerbNone {
			t.Errorf("%.60q: the verb %v is not told", line, cmd.Verb)
		}
	}
}

func TestLooksLikeHTTP(t *testing.T) {
	for line, want := range map[string]bool{
		"GET / HTTP/1.1": true, "GET /a b HTTP/1.0": true, "POST /": true, "POST / HTTP/1.1": true, "HEAD / HTTP/1.1": true,
		"PRI * HTTP/2.0": true, "OPTIONS * HTTP/1.1": true, "CONNECT a:443 HTTP/1.1": true, "Host: example.com": true, "host:x": true,
		"DELETE /a HTTP/1.1": true, "PUT /a HTTP/1.1": true, "PROPFIND /dav HTTP/1.1": true, "M-SEARCH * HTTP/1.1": true,
		"get http://a/ HTTP/1.1": true, "SET k HTTP/1.1": false, " GET / HTTP/1.1": false, "SIGNUP a-b HTTP/2": false,
		"": false, "GET foo": false, "DELETE foo": false, "LOGIN HTTP/1.1 x": false, "LOGIN x HTTP/1.1": false, "SIGNUP": false,
		"GET / HTTP/": false, "GET / HTTP/x": false, "PUT k v": false, "POSTER": false, "Hos": false,
	} {
		if got := looksLikeHTTP(b(line), b(line)); got != want {
			t.Errorf("%q: got %v", line, got)
		}
	}
}

// A word of the line comes back in an error only as a verb that was nearly right: anything else
// may be a password or a value.
func TestErrorsTellNoSecrets(t *testing.T) {
	const secret = "hunter2"
	var p Parser
	for _, format := range []string{
		"%", "LOGIN %", "PASSWD % % %", "PASSWD \"%", "SET k \"%\" %", "SET k \"%", "SET k % EX 60", "SETEX k % v", "CAS k % v", "INCR k %",
		"EXPIRE k %", "KEYS LIMIT %", "FLUSH %", "ONCE id %", "SYNC %", "MSET k v %", "HELP a %",
	} {
		var req protocol.Request
		err := p.Parse(b(strings.ReplaceAll(format, "%", secret)), &req)
		if err == nil || strings.Contains(strings.ToLower(err.Message), secret) {
			t.Errorf("%s: got %v", format, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "\x04", "GET a", `SET k "v\x41" EX 1.5s NX`, "SET k v EX 60", "MSET a 1 b \"2\"", "KEYS a* LIMIT 3 AFTER \"b c\"", "ONCE 1 CAS k 7 v",
		"CAS k 99999999999999999999 v", "SETEX k 0.0001d \"\"", "LOGIN a  b", "HELP get", "gte \x1b[31m", "GET \"\\", "ONCE ONCE ONCE", "\xff\xfe",
		"\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd", "\u0131\u0131\u0131\u0131",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		p := Parser{MaxValue: 100}
		var req protocol.Request
		err := p.Parse(line, &req)
		if err != nil {
			for _, c := range []byte(err.Error()) {
				if c < ' ' || c > '~' {
					t.Fatalf("%q: the error is %q", line, err.Error())
				}
			}
			if len(err.Error()) > 200 {
				t.Fatalf("%q: the error is long: %q", line, err.Error())
			}
			return
		}
		bad := len(req.Key) > protocol.MaxKey || len(req.After) > protocol.MaxKey || len(req.OnceID) > protocol.MaxOnceID || len(req.Words) > protocol.MaxWords ||
			req.Verb != protocol.VerbHelp && len(req.Value) > 100 || req.NX && req.XX || req.TTL < 0 || req.TTL%time.Millisecond != 0 ||
			req.OnceID != nil && !(req.Verb.Command().Access == protocol.Writes) || (req.User == nil) != (req.Password == nil) && req.Verb == protocol.VerbLogin
		if bad {
			t.Fatalf("%q: got %+v", line, req)
		}
	})
}
