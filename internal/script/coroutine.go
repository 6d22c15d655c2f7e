package script

import lua "github.com/yuin/gopher-lua"

func coroutineLibrary() map[string]lua.LGFunction {
	return with(borrowed("coroutine", "running", "status", "yield"), map[string]lua.LGFunction{
		"create": coCreate, "resume": coResume, "wrap": coWrap,
	})
}

// coCreate has the library make a thread, and puts that on the run's budget.
func coCreate(l *lua.LState) int {
	l.CheckFunction(1)
	b := of(l)
	b.charge(l, threadBytes)
	l.RemoveContext()
	n := world.library["coroutine.create"](l)
	l.SetContext(b)
	l.Get(-1).(*lua.LState).SetContext(b)
	return n
}

func coResume(l *lua.LState) int {
	l.CheckThread(1)
	b := of(l)
	b.enter(l)
	defer b.leave()
	n := world.library["coroutine.resume"](l)
	b.work(l, 1) // raises, if the script is over
	return n
}

func coWrap(l *lua.LState) int {
	coCreate(l)
	b, th := of(l), l.Get(-1)
	b.charge(l, closureBytes)
	l.Push(l.NewClosure(func(l *lua.LState) int {
		l.Insert(th, 1)
		top := l.GetTop()
		n := coResume(l)
		ok, message := l.Get(top+1), l.Get(top+2)
		if ok == lua.LFalse {
			if text, is := message.(lua.LString); is {
				message = lua.LString(translated(string(text)))
			}
			l.Error(message, 0)
		}
		return n - 1
	}))
	return 1
}
