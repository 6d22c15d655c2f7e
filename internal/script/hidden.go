package script

import (
	"math"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// The functions that rewritten scripts call (rewrite.go).

func luaCharge(l *lua.LState) int {
	bytes := 0
	if n, ok := l.Get(1).(lua.LNumber); ok {
		bytes = int(n)
	}
	of(l).charge(l, bytes+slotBytes*(l.GetTop()-1))
	return 0
}

// luaKey counts what it takes to have such a key in a new table: all places below it, if it is a number.
func luaKey(l *lua.LState) int {
	if n, ok := l.Get(1).(lua.LNumber); ok {
		of(l).chargeIndex(l, n, 0)
	}
	l.SetTop(1)
	return 1
}

// chargeIndex counts what a table of so many elements grows by when there is one at n.
func (b *budget) chargeIndex(l *lua.LState, n lua.LNumber, length int) {
	if grows := integer(n) - length; grows > 0 && integer(n) < lua.MaxArrayIndex {
		b.charge(l, 2*slotBytes*grows)
		return
	}
	b.charge(l, entryBytes)
}

func luaStore(l *lua.LState) int {
	key := l.Get(2)
	t, ok := l.Get(1).(*lua.LTable)
	if n, number := key.(lua.LNumber); ok && number {
		of(l).chargeIndex(l, n, t.Len())
	} else {
		of(l).charge(l, entryBytes)
	}
	l.SetTable(l.Get(1), key, l.Get(3))
	return 0
}

// luaConcat joins strings and numbers; other values by their metatables, from the right, as .. does.
func luaConcat(l *lua.LState) int {
	size, top := 0, l.GetTop()
	for i := 1; i <= top; i++ {
		s, ok := text(l.Get(i))
		if !ok {
			return concatOthers(l, top)
		}
		size += len(s)
	}
	of(l).charge(l, size)
	var b strings.Builder
	b.Grow(size)
	for i := 1; i <= top; i++ {
		s, _ := text(l.Get(i))
		b.WriteString(s)
	}
	l.Push(lua.LString(b.String()))
	return 1
}

func concatOthers(l *lua.LState, top int) int {
	right := l.Get(top)
	for i := top - 1; i >= 1; i-- {
		right = concatTwo(l, l.Get(i), right)
	}
	l.Push(right)
	return 1
}

func concatTwo(l *lua.LState, left, right lua.LValue) lua.LValue {
	a, okA := text(left)
	b, okB := text(right)
	if okA && okB {
		of(l).charge(l, len(a)+len(b))
		return lua.LString(a + b)
	}
	f := l.GetMetaField(left, "__concat")
	if f == lua.LNil {
		f = l.GetMetaField(right, "__concat")
	}
	if f == lua.LNil {
		wrong := right
		if !okA {
			wrong = left
		}
		l.RaiseError("attempt to concatenate a %s value", wrong.Type().String())
	}
	return call(l, f, 1, left, right)[0]
}

// call calls a function of the script from one of ours, and returns n results.
func call(l *lua.LState, f lua.LValue, n int, args ...lua.LValue) []lua.LValue {
	b := of(l)
	b.enter(l)
	defer b.leave()
	l.Push(f)
	for _, arg := range args {
		l.Push(arg)
	}
	l.Call(len(args), n)
	results := make([]lua.LValue, n)
	for i := range results {
		results[i] = l.Get(i - n)
	}
	l.Pop(n)
	return results
}

// text is a string, or a number as one.
func text(v lua.LValue) (string, bool) {
	switch v := v.(type) {
	case lua.LString:
		return string(v), true
	case lua.LNumber:
		return formatNumber(v), true
	}
	return "", false
}

// luaModulo is a % b as Lua 5.1 computes it.
func luaModulo(l *lua.LState) int {
	left, right := l.Get(1), l.Get(2)
	a, okA := number(left)
	b, okB := number(right)
	if okA && okB {
		whole := float64(math.Floor(a/b) * b) // rounded here: on some machines the difference would be of what is not
		return pushAll(l, lua.LNumber(a-whole))
	}
	f := l.GetMetaField(left, "__mod")
	if f == lua.LNil {
		f = l.GetMetaField(right, "__mod")
	}
	if f == lua.LNil {
		wrong := left
		if okA {
			wrong = right
		}
		l.RaiseError("attempt to perform arithmetic on a %s value", wrong.Type().String())
	}
	return pushAll(l, call(l, f, 1, left, right)[0])
}

// number is a number, or a string as one.
func number(v lua.LValue) (float64, bool) {
	switch v := v.(type) {
	case lua.LNumber:
		return float64(v), true
	case lua.LString:
		return parseNumber(strings.Trim(string(v), blanks))
	}
	return 0, false
}
