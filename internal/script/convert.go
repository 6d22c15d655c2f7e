package script

import (
	"math"

	lua "github.com/yuin/gopher-lua"
)

// maxReplyDepth is how deep a reply may be nested.
const maxReplyDepth = 100

// toLua is a command's reply as a script sees it, as in Redis 7.
func (r *run) toLua(l *lua.LState, p *Reply) lua.LValue {
	r.budget.charge(l, slotBytes+len(p.Text))
	switch p.Kind {
	case Status:
		return r.field(l, "ok", lua.LString(p.Text))
	case Error:
		return r.field(l, "err", lua.LString(p.Text))
	case Integer:
		return lua.LNumber(p.Int)
	case Bulk:
		return lua.LString(p.Text)
	case Array:
		return r.array(l, p.List)
	}
	if r.resp == 2 {
		return r.toLua2(l, p)
	}
	switch p.Kind {
	case Double:
		return r.field(l, "double", lua.LNumber(p.Float))
	case Boolean:
		return lua.LBool(p.Int != 0)
	case Map:
		return r.field(l, "map", r.dictionary(l, p.List))
	case Set:
		return r.field(l, "set", r.members(l, p.List))
	case BigNumber:
		return r.field(l, "big_number", lua.LString(p.Text))
	case Verbatim:
		t := r.field(l, "string", lua.LString(p.Text))
		t.RawSetString("format", lua.LString(p.Format))
		return r.field(l, "verbatim_string", t)
	}
	return lua.LNil
}

// toLua2 is what RESP2 makes of the kinds that it has not.
func (r *run) toLua2(l *lua.LState, p *Reply) lua.LValue {
	switch p.Kind {
	case Double:
		return lua.LString(formatG(p.Float, 17))
	case Boolean:
		return lua.LNumber(p.Int)
	case Map, Set:
		return r.array(l, p.List)
	case BigNumber, Verbatim:
		return lua.LString(p.Text)
	}
	return lua.LFalse
}

func (r *run) field(l *lua.LState, name string, v lua.LValue) *lua.LTable {
	r.budget.charge(l, tableBytes+entryBytes)
	t := l.NewTable()
	t.RawSetString(name, v)
	return t
}

func (r *run) array(l *lua.LState, list []Reply) *lua.LTable {
	r.budget.charge(l, tableBytes+2*slotBytes*len(list))
	t := l.CreateTable(len(list), 0)
	for i := range list {
		t.RawSetInt(i+1, r.toLua(l, &list[i]))
	}
	return t
}

func (r *run) dictionary(l *lua.LState, list []Reply) *lua.LTable {
	r.budget.charge(l, tableBytes+entryBytes*len(list))
	t := l.NewTable()
	for i := 0; i+1 < len(list); i += 2 {
		if key := r.toLua(l, &list[i]); key != lua.LNil {
			l.RawSet(t, key, r.toLua(l, &list[i+1]))
		}
	}
	return t
}

func (r *run) members(l *lua.LState, list []Reply) *lua.LTable {
	r.budget.charge(l, tableBytes+entryBytes*len(list))
	t := l.NewTable()
	for i := range list {
		if key := r.toLua(l, &list[i]); key != lua.LNil {
			l.RawSet(t, key, lua.LTrue)
		}
	}
	return t
}

// toReply is what a script returns as a reply, as in Redis 7.
func (r *run) toReply(l *lua.LState, v lua.LValue, depth int) Reply {
	r.budget.charge(l, 8*slotBytes)
	switch v := v.(type) {
	case lua.LString:
		r.budget.charge(l, len(v)) // as names of tables
		return Reply{Kind: Bulk, Text: string(v)}
	case lua.LNumber:
		return Reply{Kind: Integer, Int: truncated(v)}
	case lua.LBool:
		switch {
		case r.resp == 3:
			return Reply{Kind: Boolean, Int: int64(map[bool]int{true: 1}[bool(v)])}
		case bool(v):
			return Reply{Kind: Integer, Int: 1}
		}
	case *lua.LTable:
		if depth > maxReplyDepth {
			return errorReply("ERR reached lua stack limit")
		}
		return r.tableReply(l, v, depth)
	}
	return Reply{}
}

// tableReply is that of a table: one of those with a single name, or a list up to the first nil.
func (r *run) tableReply(l *lua.LState, t *lua.LTable, depth int) Reply {
	// name returns a text of the table. It is not copied, but counts: the same one a thousand times is a long reply.
	name := func(t *lua.LTable, key string) (string, bool) {
		s, ok := text(t.RawGetString(key))
		r.budget.charge(l, len(s))
		return s, ok
	}
	if s, ok := name(t, "err"); ok {
		return errorReply(oneLine(s))
	}
	if s, ok := name(t, "ok"); ok {
		return Reply{Kind: Status, Text: oneLine(s)}
	}
	if n, ok := t.RawGetString("double").(lua.LNumber); ok {
		return Reply{Kind: Double, Float: float64(n)}
	}
	if m, ok := t.RawGetString("map").(*lua.LTable); ok {
		return r.pairs(l, m, Map, depth)
	}
	if m, ok := t.RawGetString("set").(*lua.LTable); ok {
		return r.pairs(l, m, Set, depth)
	}
	if s, ok := name(t, "big_number"); ok {
		return Reply{Kind: BigNumber, Text: oneLine(s)}
	}
	if v, ok := t.RawGetString("verbatim_string").(*lua.LTable); ok {
		s, okText := v.RawGetString("string").(lua.LString)
		format, okFormat := v.RawGetString("format").(lua.LString)
		if okText && okFormat {
			r.budget.charge(l, len(s))
			return Reply{Kind: Verbatim, Text: string(s), Format: (string(format) + "   ")[:3]}
		}
	}
	list := []Reply{}
	for i := 1; i < math.MaxInt32; i++ {
		v := t.RawGetInt(i)
		if v == lua.LNil {
			break
		}
		list = append(list, r.toReply(l, v, depth+1))
	}
	return Reply{Kind: Array, List: list}
}

// pairs are the keys of a table, and of a Map its values too.
func (r *run) pairs(l *lua.LState, t *lua.LTable, kind Kind, depth int) Reply {
	list := []Reply{}
	for key, v := t.Next(lua.LNil); key != lua.LNil; key, v = t.Next(key) {
		list = append(list, r.toReply(l, key, depth+1))
		if kind == Map {
			list = append(list, r.toReply(l, v, depth+1))
		}
	}
	return Reply{Kind: kind, List: list}
}
