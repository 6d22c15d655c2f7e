package script

import (
	"errors"
	"maps"

	lua "github.com/yuin/gopher-lua"
)

// libraries returns the functions of each library that scripts see; "" has the globals.
func libraries() map[string]map[string]lua.LGFunction {
	return map[string]map[string]lua.LGFunction{
		"": baseLibrary(), "string": stringLibrary(), "table": tableLibrary(), "math": mathLibrary(),
		"coroutine": coroutineLibrary(), "redis": redisLibrary(), "bit": bitLibrary(), "cjson": jsonLibrary(),
	}
}

// constants returns what else the libraries have.
func constants(w *worldTables) map[string]map[string]lua.LValue {
	return map[string]map[string]lua.LValue{
		"": {"_VERSION": lua.LString(lua.LuaVersion)}, "math": mathConstants(), "redis": redisConstants(), "cjson": {"null": w.null},
	}
}

// borrowed returns functions of gopher-lua that need no change. They are looked up when they are called.
func borrowed(library string, names ...string) map[string]lua.LGFunction {
	all := map[string]lua.LGFunction{}
	for _, name := range names {
		all[name] = func(l *lua.LState) int { return world.library[library+"."+name](l) }
	}
	return all
}

func with(all, more map[string]lua.LGFunction) map[string]lua.LGFunction {
	maps.Copy(all, more)
	return all
}

func baseLibrary() map[string]lua.LGFunction {
	return with(borrowed("", "assert", "getmetatable", "next", "rawequal", "select", "type"), map[string]lua.LGFunction{
		"collectgarbage": func(l *lua.LState) int { l.Push(lua.LNumber(0)); return 1 },
		"error":          luaError, "ipairs": luaIpairs, "pairs": luaPairs, "pcall": luaPcall, "rawget": luaRawget, "rawset": luaRawset,
		"setmetatable": luaSetmetatable, "tonumber": luaTonumber, "tostring": luaTostring, "unpack": luaUnpack, "xpcall": luaXpcall,
	})
}

func luaError(l *lua.LState) int {
	of(l).run.mark(l)
	object, level := l.Get(1), l.OptInt(2, 1)
	if n, ok := object.(lua.LNumber); ok {
		object = lua.LString(formatNumber(n))
	}
	if level > 0 && l.Where(level) == "" {
		level = 0
	}
	l.Error(object, level)
	return 0
}

// mark notes which line of the script is about to raise an error.
func (r *run) mark(l *lua.LState) { r.line = lineOf(l.Where(1), r.line) }

func luaIpairs(l *lua.LState) int {
	l.CheckTable(1)
	l.SetTop(1)
	t := l.Get(1)
	l.Push(ipairsNext)
	l.Push(t)
	l.Push(lua.LNumber(0))
	return 3
}

var ipairsNext = function(func(l *lua.LState) int {
	i := l.CheckInt(2) + 1
	v := l.GetTable(l.CheckTable(1), lua.LNumber(i))
	if v == lua.LNil {
		l.Push(lua.LNil)
		return 1
	}
	l.Push(lua.LNumber(i))
	l.Push(v)
	return 2
})

func luaPairs(l *lua.LState) int {
	t := l.CheckTable(1)
	l.Push(pairsNext)
	l.Push(t)
	l.Push(lua.LNil)
	return 3
}

var pairsNext = function(func(l *lua.LState) int {
	key, value := l.CheckTable(1).Next(l.Get(2))
	l.Push(key)
	l.Push(value)
	return 2
})

func luaRawget(l *lua.LState) int {
	l.Push(l.CheckTable(1).RawGet(l.CheckAny(2)))
	return 1
}

func luaRawset(l *lua.LState) int {
	t := writable(l, 1)
	key := l.CheckAny(2)
	if n, ok := key.(lua.LNumber); ok {
		of(l).chargeIndex(l, n, t.Len())
	} else {
		of(l).charge(l, entryBytes)
	}
	l.RawSet(t, key, l.CheckAny(3))
	l.SetTop(1)
	return 1
}

// writable returns an argument that is a table to be changed.
func writable(l *lua.LState, n int) *lua.LTable {
	t := l.CheckTable(n)
	if r := of(l).run; r.sealed(t) {
		r.mark(l)
		l.Error(lua.LString("Attempt to modify a readonly table"), 0)
	}
	return t
}

func luaSetmetatable(l *lua.LState) int {
	t := writable(l, 1)
	l.CheckTypes(2, lua.LTNil, lua.LTTable)
	if old, ok := t.Metatable.(*lua.LTable); ok && old.RawGetString("__metatable") != lua.LNil {
		l.RaiseError("cannot change a protected metatable")
	}
	l.SetMetatable(t, l.Get(2))
	l.SetTop(1)
	return 1
}

func luaTostring(l *lua.LState) int {
	v := l.CheckAny(1)
	if f := l.GetMetaField(v, "__tostring"); f != lua.LNil {
		l.Push(call(l, f, 1, v)[0])
		return 1
	}
	if v == lua.LValue(world.null) {
		l.Push(lua.LString("userdata: (nil)"))
		return 1
	}
	l.Push(lua.LString(asText(v)))
	return 1
}

// maxUnpacked is how many values one call may return.
const maxUnpacked = 7999

func luaUnpack(l *lua.LState) int {
	t, first := l.CheckTable(1), integer(l.OptNumber(2, 1))
	last := t.Len()
	if l.Get(3) != lua.LNil {
		last = integer(l.CheckNumber(3))
	}
	if last < first {
		return 0
	}
	if last-first >= maxUnpacked {
		l.RaiseError("too many results to unpack")
	}
	of(l).charge(l, slotBytes*(last-first+1))
	for i := first; i <= last; i++ {
		l.Push(t.RawGetInt(i))
	}
	return last - first + 1
}

func luaPcall(l *lua.LState) int {
	l.CheckAny(1)
	args := make([]lua.LValue, 0, l.GetTop()-1)
	for i := 2; i <= l.GetTop(); i++ {
		args = append(args, l.Get(i))
	}
	results, failure := protected(l, l.Get(1), args)
	if failure != nil {
		if t, ok := failure.(*lua.LTable); ok { // as in Redis, a command's error is its text
			if text, ok := t.RawGetString("err").(lua.LString); ok {
				failure = text
			}
		}
		return pushAll(l, lua.LFalse, failure)
	}
	return pushAll(l, append([]lua.LValue{lua.LTrue}, results...)...)
}

func luaXpcall(l *lua.LState) int {
	handler := l.Get(2)
	results, failure := protected(l, l.Get(1), nil)
	if failure == nil {
		return pushAll(l, append([]lua.LValue{lua.LTrue}, results...)...)
	}
	handled, failure := protected(l, handler, []lua.LValue{failure})
	if failure != nil {
		return pushAll(l, lua.LFalse, failure)
	}
	return pushAll(l, append([]lua.LValue{lua.LFalse}, handled...)...)
}

func pushAll(l *lua.LState, all ...lua.LValue) int {
	for _, v := range all {
		l.Push(v)
	}
	return len(all)
}

// protected calls a function of the script in a thread of its own, and returns its results or what it raised. An end of the
// script goes through.
func protected(l *lua.LState, f lua.LValue, args []lua.LValue) (results []lua.LValue, failure lua.LValue) {
	b := of(l)
	b.enter(l)
	defer b.leave()
	th := b.run.thread(l)
	th.Push(f)
	for _, arg := range args {
		th.Push(arg)
	}
	err := th.PCall(len(args), lua.MultRet, nil)
	b.work(l, 1) // raises, if the script is over
	if err != nil {
		return nil, raised(err)
	}
	for i := 1; i <= th.GetTop(); i++ {
		results = append(results, th.Get(i))
	}
	th.SetTop(0)
	b.run.idle = append(b.run.idle, th)
	return results, nil
}

// raised is the value that an error was raised with.
func raised(err error) lua.LValue {
	var api *lua.ApiError
	if !errors.As(err, &api) {
		return lua.LString(err.Error())
	}
	if text, ok := api.Object.(lua.LString); ok {
		return lua.LString(translated(string(text)))
	}
	return api.Object
}

// threadBytes is about what a thread takes.
const threadBytes = 8 << 10

// thread returns a thread in which nothing runs.
func (r *run) thread(l *lua.LState) *lua.LState {
	if n := len(r.idle); n > 0 {
		th := r.idle[n-1]
		r.idle = r.idle[:n-1]
		return th
	}
	return r.newThread(l)
}

// newThread makes a thread that is on the run's budget. Without a context the library makes none for it.
func (r *run) newThread(l *lua.LState) *lua.LState {
	r.budget.charge(l, threadBytes)
	l.RemoveContext()
	th, _ := l.NewThread()
	l.SetContext(r.budget)
	th.SetContext(r.budget)
	return th
}
