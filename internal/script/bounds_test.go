package script

import (
	"errors"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"ciderd/test/norace"
)

// hostile are scripts that no limit may let go on, and why each is ended; nil: it ends by itself, with an error or not.
var hostile = map[string]struct {
	source string
	why    []error
}{
	"endless loop":            {`while true do end`, []error{ErrSteps}},
	"endless repeat":          {`repeat until false`, []error{ErrSteps}},
	"endless recursion":       {`local function f() return f() end return f()`, []error{ErrMemory}},
	"string doubling":         {`local s = 'x' while true do s = s .. s end`, []error{ErrMemory}},
	"doubling by rep":         {`local s = 'x' while true do s = s:rep(2) end`, []error{ErrMemory}},
	"a huge rep":              {`return ('x'):rep(1e15)`, []error{ErrMemory}},
	"doubling by gsub":        {`local s = 'xx' while true do s = s:gsub('.', '%0%0') end`, []error{ErrMemory, ErrSteps}},
	"doubling by format":      {`local s = 'xx' while true do s = string.format('%s%s', s, s) end`, []error{ErrMemory}},
	"doubling by concat":      {`local s = 'x' while true do s = table.concat({s, s}) end`, []error{ErrMemory}},
	"doubling by upper":       {`local t = {} local s = ('x'):rep(1e6) while true do t[#t+1] = s:upper() end`, []error{ErrMemory}},
	"doubling by metamethods": {`local m = {} m.__concat = function(a, b) return setmetatable({a, b}, m) end local s = setmetatable({}, m) while true do s = s .. s end`, []error{ErrMemory, ErrSteps}},
	"doubling by JSON":        {`local t = {'x'} while true do t = {cjson.encode(t), cjson.encode(t)} end`, []error{ErrMemory}},
	"appending":               {`local t = {} while true do t[#t+1] = 1 end`, []error{ErrMemory}},
	"inserting":               {`local t = {} while true do table.insert(t, 1) end`, []error{ErrMemory}},
	"rawset":                  {`local t, i = {}, 0 while true do i = i + 1 rawset(t, i .. '', 1) end`, []error{ErrMemory}},
	"names":                   {`local t = {} while true do t = {next = t} end`, []error{ErrMemory}},
	"fields":                  {`local t = {} while true do local n = {} n.x = t t = n end`, []error{ErrMemory}},
	"constructors":            {`local t = {} while true do t[1] = {1,2,3,4,5,6,7,8,9,t[1]} end`, []error{ErrMemory}},
	"a far index":             {`local t = {} t[60000000] = 1`, []error{ErrMemory}},
	"a far index, two":        {`local t = {} t[60000000], t[1] = 1, 2`, []error{ErrMemory}},
	"a far key":               {`return {[60000000] = 1}`, []error{ErrMemory}},
	"a far rawset":            {`rawset({}, 60000000, 1)`, []error{ErrMemory}},
	"a far insert":            {`table.insert({}, 60000000, 1)`, []error{ErrMemory}},
	"closures":                {`local f while true do local g = f f = function() return g end end`, []error{ErrMemory}},
	"arguments":               {`local function f(...) while true do f2 = nil local t = {...} end end local ok = pcall(f, unpack({}, 1, 7000)) local function g(...) local t = {} while true do t[#t+1] = {...} end end g(unpack({}, 1, 7000))`, []error{ErrMemory}},
	"unpack":                  {`local t = {} while true do t = {unpack(t, 1, 7999)} end`, []error{ErrMemory}},
	"a million elements":      {`local t = {} for i = 1, 1e6 do t[i] = i end return #t`, []error{ErrMemory}},
	"coroutines":              {`local t = {} while true do t[#t+1] = coroutine.create(function() coroutine.yield() end) coroutine.resume(t[#t]) end`, []error{ErrMemory}},
	"wrapped":                 {`local t = {} while true do t[#t+1] = coroutine.wrap(function() end) end`, []error{ErrMemory}},
	"in a coroutine":          {`return coroutine.wrap(function() while true do end end)()`, []error{ErrSteps}},
	"a swallowed limit":       {`while true do pcall(function() while true do end end) end`, []error{ErrSteps}},
	"a limit in xpcall":       {`while true do xpcall(function() while true do end end, function() while true do end end) end`, []error{ErrSteps}},
	"a limit in a coroutine":  {`while true do coroutine.resume(coroutine.create(function() while true do end end)) end`, []error{ErrSteps}},
	"pattern bomb":            {`return (('a'):rep(40)):find(('a*'):rep(40) .. 'b')`, []error{ErrSteps}},
	"pattern bomb, shortest":  {`return (('a'):rep(60)):match(('.-'):rep(30) .. 'b')`, []error{ErrSteps}},
	"pattern bomb, swallowed": {`while true do pcall(string.find, ('a'):rep(40), ('a*'):rep(40) .. 'b') end`, []error{ErrSteps}},
	"pattern bomb, optional":  {`return (('a'):rep(20)):find(('a?'):rep(40) .. 'b')`, []error{ErrSteps}},
	"a condition":             {`while true do while #{1, 2, 3} > 5 do end end`, []error{ErrMemory}},
	"a condition at the end":  {`repeat until #{1, 2, 3} > 5`, []error{ErrMemory}},
	"deep pattern":            {`return string.find('a', ('(a?)'):rep(30) .. ('a?'):rep(1e5))`, nil},
	"deep recursion":          {`local function f() return 1 + f() end return f()`, nil},
	"deep pcall":              {`local function f() return pcall(f) end return f()`, nil},
	"deep xpcall":             {`local function f() return xpcall(f, f) end return f()`, nil},
	"deep coroutines":         {`local function f() return coroutine.wrap(f)() end return f()`, nil},
	"deep sort":               {`local function f() table.sort({1,2,3}, f) end return f()`, nil},
	"deep gsub":               {`local function f() return ('x'):gsub('x', f) end return f()`, nil},
	"deep tostring":           {`local t = setmetatable({}, {__tostring = function(t) return tostring(t) end}) return tostring(t)`, nil},
	"deep index":              {`local t = setmetatable({}, {__index = function(t, k) return t[k] end}) return t.x`, nil},
	"deep metatables":         {`local t = {} setmetatable(t, {__index = t}) return t.x`, nil},
	"deep concat":             {`local m = {} m.__concat = function(a, b) return a .. b end return setmetatable({}, m) .. 'x'`, nil},
	"deep JSON":               {`return cjson.decode(('['):rep(1e5))`, nil},
	"JSON of itself":          {`local t = {} t[1] = t return cjson.encode(t)`, nil},
	"a reply of itself":       {`local t = {} t[1] = t t[2] = t return t`, []error{ErrMemory, nil}},
	"a reply of the same":     {`local t, s = {}, ('x'):rep(1e5) for i = 1, 1e4 do t[i] = s end return t`, []error{ErrMemory}},
	"a reply of the same ok":  {`local t, s = {}, {ok = ('x'):rep(1e5)} for i = 1, 1e4 do t[i] = s end return t`, []error{ErrMemory}},
	"a wide reply":            {`local t = {1} for i = 1, 60 do t = {t, t} end return t`, []error{ErrMemory, ErrSteps}},
	"a sort that never ends":  {`local t = {} for i = 1, 1e4 do t[i] = i end table.sort(t, function() return true end)`, nil},
	"a sort of nonsense":      {`table.sort({1, 'x', {}})`, nil},
	"a format of great width": {`return string.format('%99999999d', 1)`, nil},
	"yield outside":           {`return coroutine.yield(1)`, nil},
	"yield in pcall":          {`return coroutine.wrap(function() return pcall(coroutine.yield, 1) end)()`, nil},
	"resume itself":           {`local co co = coroutine.create(function() return coroutine.resume(co) end) return coroutine.resume(co)`, nil},
	"a library replaced":      {`string.rep = nil`, nil},
	"much read":               {`local t = {} while true do t[#t+1] = redis.call('get', 's') end`, []error{ErrMemory}},
	"much sent":               {`local s = ('x'):rep(1e6) while true do redis.pcall('get', s, s, s) end`, []error{ErrMemory}},
	"nested text":             {`return ` + strings.Repeat("(", 50_000) + `1` + strings.Repeat(")", 50_000), nil},
	"nested tables":           {`return ` + strings.Repeat("{", 100_000), nil},
	"nested operators":        {`return ` + strings.Repeat("not ", 50_000) + `1`, nil},
	"nested functions":        {strings.Repeat("return function() ", 10_000) + strings.Repeat(" end", 10_000), nil},
	"a long concat":           {`return '' ` + strings.Repeat(`.. 'x' `, 30_000), nil},
	"a long sum":              {`return 1` + strings.Repeat("+1", 100_000), nil},
	"a long elseif":           {`if nil then ` + strings.Repeat("elseif nil then ", 10_000) + `end`, nil},
	"many locals":             {strings.Repeat("local x = 1 ", 1000), nil},
	"not Lua":                 {"\x00\xff\x1bLua", nil},
}

// Whatever a script does, it ends, and soon; what it has allocated is bounded.
func TestHostileScriptsEnd(t *testing.T) {
	norace.Alone(t)
	defer debug.SetMaxStack(debug.SetMaxStack(256 << 20))
	for name, h := range hostile {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			reply, err := runScript(t, h.source, Limits{Steps: 2_000_000, Memory: 8 << 20, Time: time.Minute})
			runtime.ReadMemStats(&after)
			ok := len(h.why) == 0 && err == nil
			for _, why := range h.why {
				ok = ok || errors.Is(err, why) || why == nil && err == nil
			}
			if !ok {
				t.Errorf("ended by %v, want %v; reply %.200s", err, h.why, inWords(reply))
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 150<<20 {
				t.Errorf("%d MiB were allocated", n>>20)
			}
		})
	}
}

// What is shared by several scripts is used up by all of them.
func TestScriptsShareAnAllowance(t *testing.T) {
	a := NewAllowance(Limits{Steps: 100_000, Memory: 1 << 20})
	run := func(source string) error {
		s, err := Compile([]byte(source))
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Run(t.Context(), Input{Call: newStore().call, Allowance: a})
		return err
	}
	for range 3 {
		if err := run(`for i = 1, 10000 do end return ('x'):rep(100000)`); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Take(1 << 20); !errors.Is(err, ErrMemory) {
		t.Errorf("it is %v", err)
	}
	if err := run(`return ('x'):rep(100)`); !errors.Is(err, ErrMemory) {
		t.Errorf("it is %v", err)
	}
	for _, l := range []Limits{{Steps: 1}, {Time: time.Nanosecond}} {
		a = NewAllowance(l)
		a.Take(1)
		if err := a.Take(1); !errors.Is(err, ErrSteps) && !errors.Is(err, ErrTime) {
			t.Errorf("%+v: it is %v", l, err)
		}
	}
}
