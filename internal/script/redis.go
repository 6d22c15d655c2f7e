package script

import (
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// The version of Redis that scripts are told: that of which they see the language.
const (
	redisVersion    = "7.0.15"
	redisVersionNum = 0x0007000f
)

func redisLibrary() map[string]lua.LGFunction {
	return map[string]lua.LGFunction{
		"call": redisCall, "pcall": redisPcall, "error_reply": redisErrorReply, "status_reply": redisStatusReply,
		"sha1hex": redisSha1hex, "log": redisLog, "setresp": redisSetresp,
		"replicate_commands": func(l *lua.LState) int { return pushAll(l, lua.LTrue) },
		"set_repl":           func(*lua.LState) int { return 0 },
		"breakpoint":         func(l *lua.LState) int { return pushAll(l, lua.LFalse) },
		"debug":              func(*lua.LState) int { return 0 },
	}
}

func redisConstants() map[string]lua.LValue {
	return map[string]lua.LValue{
		"LOG_DEBUG": lua.LNumber(0), "LOG_VERBOSE": lua.LNumber(1), "LOG_NOTICE": lua.LNumber(2), "LOG_WARNING": lua.LNumber(3),
		"REPL_NONE": lua.LNumber(0), "REPL_AOF": lua.LNumber(1), "REPL_SLAVE": lua.LNumber(2), "REPL_REPLICA": lua.LNumber(2),
		"REPL_ALL": lua.LNumber(3), "REDIS_VERSION": lua.LString(redisVersion), "REDIS_VERSION_NUM": lua.LNumber(redisVersionNum),
	}
}

// raise raises an error that has no place in front of it.
func (r *run) raise(l *lua.LState, message string) {
	r.mark(l)
	t := r.field(l, "err", lua.LString(message))
	l.Error(t, 0)
}

func redisCall(l *lua.LState) int {
	r := of(l).run
	reply := r.command(l)
	if reply.Kind == Error {
		r.raise(l, reply.Text)
	}
	l.Push(r.toLua(l, &reply))
	return 1
}

func redisPcall(l *lua.LState) int {
	r := of(l).run
	reply := r.command(l)
	l.Push(r.toLua(l, &reply))
	return 1
}

// command runs a command with the arguments of the function.
func (r *run) command(l *lua.LState) Reply {
	if l.GetTop() == 0 {
		return errorReply("ERR Please specify at least one argument for this redis lib call")
	}
	args := make([][]byte, l.GetTop())
	for i := range args {
		switch v := l.Get(i + 1).(type) {
		case lua.LString:
			args[i] = []byte(v)
		case lua.LNumber:
			args[i] = []byte(formatG(float64(v), 17))
		default:
			return errorReply("ERR Lua redis lib command arguments must be strings or integers")
		}
		r.budget.charge(l, len(args[i])+2*slotBytes)
	}
	reply, err := r.input.Call(args)
	if err != nil && r.budget.err == nil {
		r.budget.err = err
	}
	r.budget.work(l, 1) // raises, if the script is over
	return reply
}

// oneText returns the only argument, a string; or it pushes what is answered else.
func oneText(l *lua.LState, wrong string) (string, bool) {
	if l.GetTop() == 1 {
		if s, ok := l.Get(1).(lua.LString); ok {
			return string(s), true
		}
	}
	l.Push(of(l).run.field(l, "err", lua.LString(wrong)))
	return "", false
}

func redisErrorReply(l *lua.LState) int {
	s, ok := oneText(l, "ERR wrong number or type of arguments")
	if !ok {
		return 1
	}
	s = strings.TrimPrefix(s, "-")
	if !strings.Contains(s, " ") {
		s = "ERR " + s
	}
	of(l).charge(l, len(s))
	l.Push(of(l).run.field(l, "err", lua.LString(s)))
	return 1
}

func redisStatusReply(l *lua.LState) int {
	if s, ok := oneText(l, "ERR wrong number or type of arguments"); ok {
		l.Push(of(l).run.field(l, "ok", lua.LString(s)))
	}
	return 1
}

func redisSha1hex(l *lua.LState) int {
	if l.GetTop() != 1 {
		of(l).run.raise(l, "ERR wrong number of arguments")
	}
	s, _ := text(l.Get(1)) // what is no text is an empty one
	of(l).work(l, len(s)>>6)
	l.Push(lua.LString(SHA([]byte(s))))
	return 1
}

// redisLog checks its arguments. Nothing is logged: no log holds what users say.
func redisLog(l *lua.LState) int {
	r := of(l).run
	level, ok := l.Get(1).(lua.LNumber)
	switch {
	case l.GetTop() < 2:
		r.raise(l, "ERR redis.log() requires two arguments or more.")
	case !ok:
		r.raise(l, "ERR First argument must be a number (log level).")
	case level < 0 || level > 3:
		r.raise(l, "ERR Invalid debug level.")
	}
	return 0
}

func redisSetresp(l *lua.LState) int {
	r := of(l).run
	if l.GetTop() != 1 {
		r.raise(l, "ERR redis.setresp() requires one argument.")
	}
	version := l.CheckNumber(1)
	if version != 2 && version != 3 {
		r.raise(l, "ERR RESP version must be 2 or 3.")
	}
	r.resp = int(version)
	return 0
}
