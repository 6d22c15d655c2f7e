package protocol

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func b(s string) []byte { return []byte(s) }

func words(ss ...string) (w [][]byte) {
	for _, s := range ss {
		w = append(w, b(s))
	}
	return w
}

var (
	maxKey  = strings.Repeat("k", MaxKey)
	longKey = maxKey + "k"
)

// parsed are lines and what they mean.
var parsed = map[string]Request{
	"":                                       {},
	" \t ":                                   {},
	"\x04":                                   {Verb: VerbQuit},
	"quit":                                   {Verb: VerbQuit},
	"Exit ":                                  {Verb: VerbQuit},
	"PING":                                   {Verb: VerbPing},
	"PING  hello  world ":                    {Verb: VerbPing, Value: b("hello  world")},
	`PING "a b"`:                             {Verb: VerbPing, Value: b("a b")},
	"HELP":                                   {Verb: VerbHelp},
	"help set":                               {Verb: VerbHelp, Value: b("set")},
	"VERSION":                                {Verb: VerbVersion},
	"LOGOUT":                                 {Verb: VerbLogout},
	"WHOAMI":                                 {Verb: VerbWhoami},
	"STATS":                                  {Verb: VerbStats},
	"STATUS":                                 {Verb: VerbStatus},
	"COUNT":                                  {Verb: VerbCount},
	"SYNC":                                   {Verb: VerbSync},
	"SIGNUP":                                 {Verb: VerbSignup},
	"LOGIN":                                  {Verb: VerbLogin},
	"login alice secret":                     {Verb: VerbLogin, User: b("alice"), Password: b("secret")},
	"SIGNUP  alice \t my  \"secret\" ":       {Verb: VerbSignup, User: b("alice"), Password: b(`my  "secret"`)},
	`LOGIN "alice" "a\x41 b"`:                {Verb: VerbLogin, User: b("alice"), Password: b("aA b"), BarePassword: b(`"a\x41 b"`)},
	`LOGIN alice "no end`:                    {Verb: VerbLogin, User: b("alice"), Password: b(`"no end`)},
	`LOGIN alice "a" b`:                      {Verb: VerbLogin, User: b("alice"), Password: b(`"a" b`)},
	`SIGNUP alice "a b"`:                     {Verb: VerbSignup, User: b("alice"), Password: b("a b")},
	`UNREGISTER "a b"`:                       {Verb: VerbUnregister, Password: b("a b"), BarePassword: b(`"a b"`)},
	`PASSWD "old" new`:                       {Verb: VerbPasswd, Password: b("old"), BarePassword: b(`"old"`), NewPassword: b("new")},
	`PASSWD "old new`:                        {Verb: VerbPasswd, Password: b(`"old`), NewPassword: b("new")},
	`PASSWD "o ld" new`:                      {Verb: VerbPasswd, Password: b("o ld"), NewPassword: b("new")},
	`PASSWD "old" ` + maxKey[:72]:            {Verb: VerbPasswd, Password: b("old"), BarePassword: b(`"old"`), NewPassword: b(maxKey[:72])},
	"PASSWD":                                 {Verb: VerbPasswd},
	`PASSWD old "new one"`:                   {Verb: VerbPasswd, Password: b("old"), NewPassword: b("new one")},
	"UNREGISTER my \"secret":                 {Verb: VerbUnregister, Password: b(`my "secret`)},
	"GET foo":                                {Verb: VerbGet, Key: b("foo")},
	"\tget\t foo \t":                         {Verb: VerbGet, Key: b("foo")},
	`GET "a b\n"`:                            {Verb: VerbGet, Key: b("a b\n")},
	`GET a"b`:                                {Verb: VerbGet, Key: b(`a"b`)},
	"GET " + maxKey:                          {Verb: VerbGet, Key: b(maxKey)},
	"GETV k":                                 {Verb: VerbGetV, Key: b("k")},
	"HAS k":                                  {Verb: VerbHas, Key: b("k")},
	"TTL k":                                  {Verb: VerbTTL, Key: b("k")},
	"PERSIST k":                              {Verb: VerbPersist, Key: b("k")},
	"SET foo bar":                            {Verb: VerbSet, Key: b("foo"), Value: b("bar")},
	"SET foo  a  \"b\" c\t":                  {Verb: VerbSet, Key: b("foo"), Value: b(`a  "b" c`)},
	`SET "a b" c`:                            {Verb: VerbSet, Key: b("a b"), Value: b("c")},
	`SET k ""`:                               {Verb: VerbSet, Key: b("k"), Value: b("")},
	`SET k "a\x00b" ex 1.5m nx`:              {Verb: VerbSet, Key: b("k"), Value: b("a\x00b"), TTL: 90 * time.Second, NX: true},
	`SET k "v" XX EX 5`:                      {Verb: VerbSet, Key: b("k"), Value: b("v"), TTL: 5 * time.Second, XX: true},
	`SET k "v EX 60"`:                        {Verb: VerbSet, Key: b("k"), Value: b("v EX 60")},
	"SET k EX 60":                            {Verb: VerbSet, Key: b("k"), Value: b("EX 60")},
	"SET k NX":                               {Verb: VerbSet, Key: b("k"), Value: b("NX")},
	"SET k v nx":                             {Verb: VerbSet, Key: b("k"), Value: b("v nx")},
	`SET k "v" "ex" "60" "NX"`:               {Verb: VerbSet, Key: b("k"), Value: b("v"), TTL: time.Minute, NX: true},
	`FLUSH "all"`:                            {Verb: VerbFlush},
	`KEYS "LIMIT" "LIMIT" "5" "AFTER" "a b"`: {Verb: VerbKeys, Glob: b("LIMIT"), Limit: 5, After: b("a b")},
	"SET k v\rw\x00":                         {Verb: VerbSet, Key: b("k"), Value: b("v\rw\x00")},
	`SETEX k "200ms" "v EX 60"`:              {Verb: VerbSet, Key: b("k"), Value: b("v EX 60"), TTL: 200 * time.Millisecond},
	`SETEX k 7d "v w"`:                       {Verb: VerbSet, Key: b("k"), Value: b("v w"), TTL: 7 * 24 * time.Hour},
	"SETNX k v w":                            {Verb: VerbSet, Key: b("k"), Value: b("v w"), NX: true},
	"CAS k 18446744073709551615 v w":         {Verb: VerbCAS, Key: b("k"), Version: 1<<64 - 1, Value: b("v w")},
	`CAS k 0 ""`:                             {Verb: VerbCAS, Key: b("k"), Value: b("")},
	"APPEND k v w":                           {Verb: VerbAppend, Key: b("k"), Value: b("v w")},
	"DELETE a":                               {Verb: VerbDelete, Words: words("a")},
	`del a "b c" d`:                          {Verb: VerbDelete, Words: words("a", "b c", "d")},
	"MGET a b":                               {Verb: VerbMGet, Words: words("a", "b")},
	`MSET a 1 b "" "c d" "e f"`:              {Verb: VerbMSet, Words: words("a", "1", "b", "", "c d", "e f")},
	"INCR k":                                 {Verb: VerbIncr, Key: b("k"), N: 1},
	"INCR k -9223372036854775808":            {Verb: VerbIncr, Key: b("k"), N: -1 << 63},
	"DECR k":                                 {Verb: VerbIncr, Key: b("k"), N: -1},
	"DECR k 9223372036854775807":             {Verb: VerbIncr, Key: b("k"), N: -(1<<63 - 1)},
	"DECR k 0":                               {Verb: VerbIncr, Key: b("k")},
	"EXPIRE k 2h":                            {Verb: VerbExpire, Key: b("k"), TTL: 2 * time.Hour},
	"KEYS":                                   {Verb: VerbKeys, Limit: 1000},
	"KEYS user:*":                            {Verb: VerbKeys, Limit: 1000, Glob: b("user:*")},
	"KEYS LIMIT 5":                           {Verb: VerbKeys, Limit: 5},
	"keys after x limit 1000000":             {Verb: VerbKeys, Limit: 1000000, After: b("x")},
	`KEYS "limit" AFTER "a b"`:               {Verb: VerbKeys, Limit: 1000, Glob: b("limit"), After: b("a b")},
	"KEYS AFTER LIMIT LIMIT 7":               {Verb: VerbKeys, Limit: 7, After: b("LIMIT")},
	`KEYS ""`:                                {Verb: VerbKeys, Limit: 1000, Glob: b("")},
	"FLUSH all":                              {Verb: VerbFlush},
	"ONCE id-1 SET k v w":                    {Verb: VerbSet, OnceID: b("id-1"), Key: b("k"), Value: b("v w")},
	`once "my id" del a b`:                   {Verb: VerbDelete, OnceID: b("my id"), Words: words("a", "b")},
	"ONCE 1 DECR k 5":                        {Verb: VerbIncr, OnceID: b("1"), Key: b("k"), N: -5},
	"ONCE 1 FLUSH ALL":                       {Verb: VerbFlush, OnceID: b("1")},
	"ONCE " + maxKey[:64] + " CAS k 1 v":     {Verb: VerbCAS, OnceID: b(maxKey[:64]), Key: b("k"), Version: 1, Value: b("v")},
	"DEL " + strings.Repeat("k ", 16384):     {Verb: VerbDelete, Words: words(strings.Fields(strings.Repeat("k ", 16384))...)},
}

func TestParse(t *testing.T) {
	for line, want := range parsed {
		var p Parser
		req := Request{Verb: VerbOnce, OnceID: b("old"), Key: b("old"), NX: true, Limit: 1, User: b("old")}
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
	"FROBNICATE":                         "UNKNOWN_COMMAND there is no such command; HELP lists them",
	"GTE k":                              "UNKNOWN_COMMAND GTE is no command; did you mean GET?",
	"sett k v":                           "UNKNOWN_COMMAND SETT is no command; did you mean SET?",
	"DELTE k":                            "UNKNOWN_COMMAND DELTE is no command; did you mean DELETE?",
	"flushall":                           "UNKNOWN_COMMAND FLUSHALL is no command; did you mean FLUSH?",
	"put k v":                            "UNKNOWN_COMMAND PUT is no command; did you mean SET?",
	"G\x1b[2J":                           "UNKNOWN_COMMAND there is no such command",
	"s3t":                                "UNKNOWN_COMMAND there is no such command",
	`"GET" k`:                            "UNKNOWN_COMMAND there is no such command",
	"\x04\x04":                           "UNKNOWN_COMMAND there is no such command",
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
	"SET k v EX 60":                      "SYNTAX that would be stored as text: use SETEX k d v, or quote the value",
	"SET k v px 60ms ":                   "SYNTAX that would be stored as text: use SETEX",
	"SET k some text\tTTL 5m":            "SYNTAX that would be stored as text: use SETEX",
	"SET k v EX 60 NX":                   "SYNTAX that would be stored as text: use SETEX",
	"SET lock a NX":                      "SYNTAX that would be stored as text: use SETEX",
	"SETNX lk tok EX 60":                 "SYNTAX that would be stored as text: use SETEX",
	"SETEX k 60 v KEEPTTL":               "SYNTAX that would be stored as text: use SETEX",
	"APPEND k v EX 60S":                  "SYNTAX that would be stored as text: use SETEX",
	"CAS k 1 v EX -1":                    "SYNTAX that would be stored as text: use SETEX",
	"ONCE id SET k v PXAT 5":             "SYNTAX that would be stored as text: use SETEX",
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
	"GET " + longKey:                     "KEY_TOO_LONG a key has at most 1024 bytes, this one 1025",
	"DEL a " + longKey:                   "KEY_TOO_LONG",
	"MSET " + longKey + " v":             "KEY_TOO_LONG",
	"KEYS " + longKey:                    "KEY_TOO_LONG",
	"KEYS AFTER " + longKey:              "KEY_TOO_LONG",
	"SET k 123456789012345678901":        "VALUE_TOO_LARGE a value has at most 20 bytes, this one 21",
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
	"ONCE id GET k":                      "SYNTAX ONCE wraps a write of the cache, and GET is none",
	"ONCE id ONCE id SET k v":            "SYNTAX ONCE wraps a write",
	"ONCE id PASSWD a b":                 "SYNTAX ONCE wraps a write",
	"ONCE id UNREGISTER a":               "SYNTAX ONCE wraps a write",
	"ONCE id SIGNUP a b":                 "SYNTAX ONCE wraps a write",
	"ONCE id SET k":                      "ARGS usage: SET k v",
	"ONCE id STE k v":                    "UNKNOWN_COMMAND STE is no command; did you mean SET?",
}

func TestParseErrors(t *testing.T) {
	for line, want := range refused {
		p := Parser{MaxValue: 20}
		var req Request
		err := p.Parse(b(line), &req)
		if err == nil || !strings.HasPrefix(err.Error(), "ERR "+want) {
			t.Errorf("%.60q: got %v, want %s", line, err, want)
		}
		if verb, ok := Lookup(b(strings.Fields(line)[0])); ok && req.Verb == VerbNone {
			t.Errorf("%.60q: the verb %v is not told", line, verb)
		}
	}
}

func TestParseDuration(t *testing.T) {
	const day = 24 * time.Hour
	for in, want := range map[string]time.Duration{
		"1": time.Second, "60": time.Minute, "0.5": 500 * time.Millisecond, "1ms": time.Millisecond, "1.9ms": time.Millisecond,
		"1.5s": 1500 * time.Millisecond, "2m": 2 * time.Minute, "1.25h": 75 * time.Minute, "7d": 7 * day, "0.1d": 144 * time.Minute,
		"007": 7 * time.Second, "36500d": 36500 * day, "3153600000": 36500 * day, "0.001": time.Millisecond,
		"0.999999999999999999999s": 999 * time.Millisecond, "0.29s": 290 * time.Millisecond, "1.0015s": 1001 * time.Millisecond,
	} {
		if got, err := parseDuration(b(in)); err != nil || got != want {
			t.Errorf("%s: got %v, %v, want %v", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", "0", "0ms", "0.0009s", "0.9ms", "-1", "+1", "s", ".5", "5.", "5.s", "1e3", "5S", "5 s", "5us", "5min", "1h30m", "36501d",
		"36500.1d", "9223372036854775807", "99999999999999999999h", "1,5s", strings.Repeat("0", 40) + "1",
	} {
		if got, err := parseDuration(b(in)); err == nil || err.Code != Syntax {
			t.Errorf("%s: got %v, %v", in, got, err)
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
		if got := LooksLikeHTTP(b(line), b(line)); got != want {
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
		var req Request
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
		var req Request
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
		bad := len(req.Key) > MaxKey || len(req.After) > MaxKey || len(req.OnceID) > MaxOnceID || len(req.Words) > MaxWords ||
			req.Verb != VerbHelp && len(req.Value) > 100 || req.NX && req.XX || req.TTL < 0 || req.TTL%time.Millisecond != 0 ||
			req.OnceID != nil && !req.Verb.IsWrite() || (req.User == nil) != (req.Password == nil) && req.Verb == VerbLogin
		if bad {
			t.Fatalf("%q: got %+v", line, req)
		}
	})
}
