package script

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

// scripts are those of a file of testdata: of each script, its source and what is indented below it.
func scripts(t *testing.T, file string) (all [][]string) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimRight(string(b), "\n"), "\n") {
		switch answer, ok := strings.CutPrefix(line, "\t"); {
		case strings.HasPrefix(line, "#"):
		case ok:
			all[len(all)-1] = append(all[len(all)-1], answer)
		default:
			all = append(all, []string{line})
		}
	}
	return all
}

// Scripts are answered as Redis answers them, to the word.
func TestScriptsAreAnsweredAsByRedis(t *testing.T) {
	all := scripts(t, "redis.txt")
	if len(all) < 300 {
		t.Fatalf("only %d scripts", len(all))
	}
	for _, s := range all {
		if got := answer(t, s[0]); got != s[1] {
			t.Errorf("%s\n\tis answered %s\n\tand by Redis %s", s[0], got, s[1])
		}
	}
}

// Where the library says less than Redis, or RESP3's kinds are not yet those of RESP2, the answer is known too.
func TestScriptsThatAreAnsweredDifferently(t *testing.T) {
	for _, s := range scripts(t, "differs.txt") {
		if got := answer(t, s[0]); got != s[2] {
			t.Errorf("%s\n\tis answered %s\n\tand not %s", s[0], got, s[2])
		}
	}
}

// An error says in which line it was raised.
func TestErrorsHaveTheirLine(t *testing.T) {
	for source, want := range map[string]string{
		"\n\nerror('x')":                                       "-ERR user_script:3: x script: SHA, on @user_script:3.",
		"local a = 1\nredis.call('incr', 's')":                 "-ERR value is not an integer or out of range script: SHA, on @user_script:2.",
		"local function f()\n  redis.call('nosuch')\nend\nf()": "-ERR Unknown Redis command called from script script: SHA, on @user_script:2.",
		"\nerror({err='X y'})":                                 "-X y script: SHA, on @user_script:2.",
		"\n\nreturn 1 +":                                       "-ERR Error compiling script (new function): user_script:3: unexpected symbol near '<eof>'",
		"return 1\nlocal x = )":                                "-ERR Error compiling script (new function): user_script:2: unexpected symbol near 'local'",
		"0E\n":                                                 "-ERR Error compiling script (new function): user_script:2: unexpected symbol near '0E '",
		"\nbreak":                                              "-ERR Error compiling script (new function): user_script:2: no loop to break",
	} {
		if got := answer(t, source); got != want {
			t.Errorf("%q\n\tis answered %s\n\tand not %s", source, got, want)
		}
	}
}

// What Call fails with ends the script, whatever it catches.
func TestFailureOfACallEndsTheScript(t *testing.T) {
	why := errors.New("no leader")
	for _, source := range []string{
		`return redis.call('get', 's')`, `redis.pcall('get', 's') return 1`, `while true do pcall(redis.call, 'get', 's') end`,
		`return coroutine.wrap(function() return redis.call('get', 's') end)()`,
		`xpcall(function() redis.call('get', 's') end, function() redis.call('get', 's') end) return 1`,
	} {
		st := newStore()
		st.fail = why
		s, err := Compile([]byte(source))
		if err != nil {
			t.Fatal(err)
		}
		if reply, err := s.Run(t.Context(), Input{Call: st.call}); err != why || st.calls != 1 {
			t.Errorf("%s: %v, %s, after %d calls", source, err, inWords(reply), st.calls)
		}
	}
}

func TestEndOfTheContextEndsTheScript(t *testing.T) {
	why := errors.New("the client has gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	s, err := Compile([]byte(`redis.call('get', 's') while true do end`))
	if err != nil {
		t.Fatal(err)
	}
	call := func([][]byte) (Reply, error) { cancel(why); return Reply{}, nil }
	if _, err := s.Run(ctx, Input{Call: call}); err != why {
		t.Errorf("ended by %v", err)
	}
}

// No run leaves anything to another one, and any number may run at a time.
func TestRunsSeeNothingOfEachOther(t *testing.T) {
	dirty := []string{
		`x = 1`, `string.x = 1`, `rawset(string, 'x', 1)`, `rawset(_G, 'x', 1)`, `getmetatable('').x = 1`, `getmetatable(_G).__index = nil`,
		`setmetatable(string, {})`, `setmetatable(_G, nil)`, `table.insert(redis, 1)`, `table.sort(math)`, `redis.call = nil`, `KEYS[1] = 'other'`,
		`getmetatable('').__index = function() return 1 end`, `math.randomseed(1)`, `redis.setresp(3)`, `cjson.null.x = 1`, `table.remove(bit)`,
		`local t = getmetatable(redis) t.x = 1`, `rawset(getmetatable(''), 'x', 1)`, `bit[1] = 1`, `coroutine.x, bit.x = 1, 2`,
	}
	const probe = `local ok = pcall(function() return x end) return {tostring(ok), tostring(string.x), tostring(rawget(_G, 'x')),
		tostring(getmetatable('').x), #redis, type(redis.call), KEYS[1], ('x').x or 'none', tostring(bit[1]), type(true), redis.pcall('get', 'none')}`
	want := answer(t, probe)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range dirty {
				answer(t, dirty[(i+j)%len(dirty)])
				if got := answer(t, probe); got != want {
					t.Errorf("after %s: %s, want %s", dirty[(i+j)%len(dirty)], got, want)
				}
			}
		})
	}
	wg.Wait()
}

// Chance follows from the script and its arguments: a run that is repeated does the same.
func TestChanceIsTheSameInEachRun(t *testing.T) {
	s, err := Compile([]byte(`return {math.random(1e9), math.random(1e9)}`))
	if err != nil {
		t.Fatal(err)
	}
	run := func(keys, args []string) string {
		in := Input{}
		for _, k := range keys {
			in.Keys = append(in.Keys, []byte(k))
		}
		for _, a := range args {
			in.Args = append(in.Args, []byte(a))
		}
		reply, err := s.Run(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		return inWords(reply)
	}
	met := map[string]bool{}
	for _, in := range [][2][]string{{}, {{"a"}, {}}, {{}, {"a"}}, {{"a", "b"}, {}}, {{"ab"}, {}}, {{"a"}, {"b"}}, {{"a", "bc"}, {}}, {{"ab", "c"}, {}}} {
		got := run(in[0], in[1])
		if got != run(in[0], in[1]) || met[got] {
			t.Errorf("%v: %s", in, got)
		}
		met[got] = true
	}
}

// What the library gets wrong by itself, and the rewriting mends.
func TestWhatTheLibraryGetsWrong(t *testing.T) {
	for source, want := range map[string]string{
		`local a, b = 1, 2 a, b = b, a return {a, b}`:                                                                                           "*[:2, :1]",
		`local a, b = 0, 1 for i = 1, 10 do a, b = b, a + b end return a`:                                                                       ":55",
		`local i, t = 1, {} i, t[i] = i + 1, 20 return {i, t[1]}`:                                                                               "*[:2, :20]",
		`local n = 0 local function inc() n = n + 1 end pcall(error, 'x') inc() return n`:                                                       ":1",
		`local f pcall(function() local x = 1 f = function() return x end error('e') end) local a, b, c, d, e, g = 7, 7, 7, 7, 7, 7 return f()`: ":1",
		`local n = 0 local function inc() n = n + 1 end pcall(function() pcall(error, 'y') inc() error('x') end) inc() return n`:                ":2",
		`return tonumber('1e3')`:       ":1000",
		`return 2 % (1 * -1 / 7) == 0`: ":1",
	} {
		if got := answer(t, source); got != want {
			t.Errorf("%s\n\tis answered %s, want %s", source, got, want)
		}
	}
}

func TestCommandsGetTheirArguments(t *testing.T) {
	s, err := Compile([]byte(`return redis.call('cmd', 1, 1.5, -0.1, 2^53, 1e20, 'a\0b', '')`))
	if err != nil {
		t.Fatal(err)
	}
	var got [][]byte
	_, err = s.Run(t.Context(), Input{Call: func(args [][]byte) (Reply, error) { got = args; return Reply{}, nil }})
	if want := `["cmd" "1" "1.5" "-0.10000000000000001" "9007199254740992" "1e+20" "a\x00b" ""]`; err != nil || fmt.Sprintf("%q", got) != want {
		t.Errorf("%q, %v", got, err)
	}
}

// Replies become values of Lua, and come back as what they were.
func TestRepliesOfEachKind(t *testing.T) {
	list := []Reply{{Kind: Bulk, Text: "a"}, {Kind: Integer, Int: 1}}
	for _, c := range []struct {
		reply      Reply
		two, three string // the value by cjson, or what it is
		back       string // as a reply, with RESP3
	}{
		{Reply{}, "false", "null", "$-1"},
		{Reply{Kind: Status, Text: "OK"}, `{"ok":"OK"}`, `{"ok":"OK"}`, "+OK"},
		{Reply{Kind: Error, Text: "E x"}, `{"err":"E x"}`, `{"err":"E x"}`, "-E x"},
		{Reply{Kind: Integer, Int: -5}, "-5", "-5", ":-5"},
		{Reply{Kind: Bulk, Text: "v"}, `"v"`, `"v"`, `$"v"`},
		{Reply{Kind: Array, List: list}, `["a",1]`, `["a",1]`, `*[$"a", :1]`},
		{Reply{Kind: Array}, `{}`, `{}`, `*[]`},
		{Reply{Kind: Double, Float: 1.5}, `"1.5"`, `{"double":1.5}`, ",1.5"},
		{Reply{Kind: Boolean, Int: 1}, `1`, `true`, "#t"},
		{Reply{Kind: Boolean}, `0`, `false`, "#f"},
		{Reply{Kind: Map, List: list}, `["a",1]`, `{"map":{"a":1}}`, `%[$"a", :1]`},
		{Reply{Kind: Set, List: list[:1]}, `["a"]`, `{"set":{"a":true}}`, `~[$"a"]`},
		{Reply{Kind: BigNumber, Text: "12"}, `"12"`, `{"big_number":"12"}`, "(12"},
		{Reply{Kind: Verbatim, Text: "x", Format: "txt"}, `"x"`, `{"verbatim_string":{"string":"x","format":"txt"}}`, `=txt:"x"`},
	} {
		run := func(source string) string {
			s, err := Compile([]byte(source))
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.Run(t.Context(), Input{Call: func([][]byte) (Reply, error) { return c.reply, nil }})
			if err != nil {
				t.Fatal(err)
			}
			return inWords(got)
		}
		if got := run(`return cjson.encode(redis.pcall('x'))`); got != fmt.Sprintf("$%q", c.two) {
			t.Errorf("%+v is %s in RESP2", c.reply, got)
		}
		if got := run(`redis.setresp(3) return cjson.encode(redis.pcall('x'))`); got != fmt.Sprintf("$%q", c.three) {
			t.Errorf("%+v is %s in RESP3", c.reply, got)
		}
		if got := run(`redis.setresp(3) return redis.pcall('x')`); got != c.back {
			t.Errorf("%+v comes back as %s", c.reply, got)
		}
	}
}

// FuzzScript runs whatever compiles: it ends within its bounds, and no bytes bring the process down.
func FuzzScript(f *testing.F) {
	for _, h := range hostile {
		if len(h.source) < 1000 {
			f.Add(h.source)
		}
	}
	for _, source := range []string{
		"return {1,'a',{2}}", "return string.gsub('hello', 'l+', '%0%0')", "return cjson.decode(cjson.encode({a={1,2}}))",
		"local t = {} t[1], t.x = 1, 2 return t", "return string.format('%5.2f %q', 1, 'x')", "for k, v in pairs({1}) do return k .. v end",
		"return {pcall(error, {err='x'})}", "return coroutine.wrap(function(...) coroutine.yield(...) end)(1)", "return bit.tohex(-1, -3)",
	} {
		f.Add(source)
	}
	f.Fuzz(func(t *testing.T, source string) {
		reply, err := runScript(t, source, Limits{Steps: 20_000, Memory: 1 << 20})
		if err == nil && strings.ContainsAny(reply.Text, "\r\n") && (reply.Kind == Error || reply.Kind == Status) {
			t.Errorf("%q is answered %q", source, reply.Text)
		}
	})
}
