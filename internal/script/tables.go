package script

import (
	"strings"

	lua "github.com/yuin/gopher-lua"
)

func tableLibrary() map[string]lua.LGFunction {
	return with(borrowed("table", "getn", "maxn"), map[string]lua.LGFunction{
		"concat": tableConcat, "foreach": tableForeach, "foreachi": tableForeachi, "insert": tableInsert, "remove": tableRemove,
		"sort": tableSort,
	})
}

func tableConcat(l *lua.LState) int {
	t, separator, first := l.CheckTable(1), optText(l, 2, ""), integer(l.OptNumber(3, 1))
	last := t.Len()
	if l.Get(4) != lua.LNil {
		last = integer(l.CheckNumber(4))
	}
	var b strings.Builder
	budget := of(l)
	for i := first; i <= last; i++ {
		v := t.RawGetInt(i)
		s, ok := text(v)
		if !ok {
			l.RaiseError("invalid value (%s) at index %d in table for 'concat'", v.Type().String(), i)
		}
		budget.charge(l, 2*(len(s)+len(separator))) // it doubles as it grows
		budget.work(l, 1)
		if i > first {
			b.WriteString(separator)
		}
		b.WriteString(s)
	}
	l.Push(lua.LString(b.String()))
	return 1
}

func tableInsert(l *lua.LState) int {
	t, size := writable(l, 1), 0
	size = t.Len()
	switch l.GetTop() {
	case 2:
		of(l).charge(l, 2*slotBytes)
		t.RawSetInt(size+1, l.Get(2))
	case 3:
		at := integer(l.CheckNumber(2))
		of(l).chargeIndex(l, lua.LNumber(at), size)
		of(l).work(l, max(size-at, 0)>>6)
		if at >= 1 && at <= size {
			t.Insert(at, l.Get(3))
		} else {
			t.RawSetInt(at, l.Get(3))
		}
	default:
		l.RaiseError("wrong number of arguments to 'insert'")
	}
	return 0
}

func tableRemove(l *lua.LState) int {
	t := writable(l, 1)
	size := t.Len()
	at := integer(l.OptNumber(2, lua.LNumber(size)))
	if at < 1 || at > size {
		return 0
	}
	of(l).work(l, (size-at)>>6)
	v := t.RawGetInt(at)
	t.Remove(at)
	l.Push(v)
	return 1
}

func tableSort(l *lua.LState) int {
	t := writable(l, 1)
	size := t.Len()
	of(l).charge(l, slotBytes*size)
	compare := lua.LValue(lua.LNil)
	if l.Get(2) != lua.LNil {
		compare = l.CheckFunction(2)
	}
	all := make([]lua.LValue, size)
	for i := range all {
		all[i] = t.RawGetInt(i + 1)
	}
	sortValues(l, all, compare)
	for i, v := range all {
		t.RawSetInt(i+1, v)
	}
	return 0
}

// sortValues sorts by merging: whatever the script's comparison says, that ends.
func sortValues(l *lua.LState, all []lua.LValue, compare lua.LValue) {
	if len(all) < 2 {
		return
	}
	left, right := append([]lua.LValue(nil), all[:len(all)/2]...), all[len(all)/2:]
	sortValues(l, left, compare)
	sortValues(l, right, compare)
	budget := of(l)
	for i := range all {
		budget.work(l, 1)
		switch {
		case len(left) == 0:
			return
		case len(right) > 0 && less(l, right[0], left[0], compare):
			all[i], right = right[0], right[1:]
		default:
			all[i], left = left[0], left[1:]
		}
	}
}

func less(l *lua.LState, a, b, compare lua.LValue) bool {
	if compare != lua.LNil {
		return lua.LVAsBool(call(l, compare, 1, a, b)[0])
	}
	if a == lua.LNil || b == lua.LNil {
		l.RaiseError("attempt to compare %s with %s", a.Type().String(), b.Type().String())
	}
	return l.LessThan(a, b)
}

func tableForeach(l *lua.LState) int {
	t, f := l.CheckTable(1), l.CheckFunction(2)
	for key, value := t.Next(lua.LNil); key != lua.LNil; key, value = t.Next(key) {
		if v := call(l, f, 1, key, value)[0]; v != lua.LNil {
			return pushAll(l, v)
		}
	}
	return 0
}

func tableForeachi(l *lua.LState) int {
	t, f := l.CheckTable(1), l.CheckFunction(2)
	for i := 1; i <= t.Len(); i++ {
		if v := call(l, f, 1, lua.LNumber(i), t.RawGetInt(i))[0]; v != lua.LNil {
			return pushAll(l, v)
		}
	}
	return 0
}
