package script

import lua "github.com/yuin/gopher-lua"

// world is what all scripts share: the libraries. Nothing in it is ever changed, so any number of states may use it. A
// script sees each table of it through an empty one that refuses to be written to.
var world *worldTables

func init() { world = makeWorld() }

type worldTables struct {
	globals    *lua.LTable
	chain      *lua.LTable // the metatable of a run's own globals: KEYS and ARGV
	refuse     *lua.LFunction
	sealed     *lua.LTable // what getmetatable returns of a table that is sealed
	seals      map[*lua.LTable]bool
	stringMeta *lua.LTable
	hidden     map[string]*lua.LFunction
	library    map[string]lua.LGFunction // of gopher-lua, of coroutines
	null       *lua.LUserData            // cjson.null
}

func function(f lua.LGFunction) *lua.LFunction { return &lua.LFunction{IsG: true, GFunction: f} }

// makeWorld builds the libraries.
func makeWorld() *worldTables {
	w := &worldTables{seals: map[*lua.LTable]bool{}, hidden: map[string]*lua.LFunction{}, library: map[string]lua.LGFunction{}}
	template := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer template.Close()
	table := func() *lua.LTable { return template.NewTable() }
	w.refuse = function(func(l *lua.LState) int {
		l.RaiseError("Attempt to modify a readonly table")
		return 0
	})
	w.sealed = w.seal(table(), table(), nil)
	w.null = &lua.LUserData{}
	for name, f := range map[string]lua.LGFunction{nameCharge: luaCharge, nameConcat: luaConcat, nameStore: luaStore, nameKey: luaKey, nameModulo: luaModulo} {
		w.hidden[name] = function(f)
	}
	for name, opens := range map[string]lua.LGFunction{"": lua.OpenBase, "table": lua.OpenTable, "math": lua.OpenMath, "coroutine": lua.OpenCoroutine} {
		w.borrow(template, name, opens)
	}
	w.globals = table()
	for name, functions := range libraries() {
		real := w.globals
		if name != "" {
			real = table()
			w.globals.RawSetString(name, w.seal(table(), table(), real))
		}
		for key, f := range functions {
			real.RawSetString(key, function(f))
		}
		for key, v := range constants(w)[name] {
			real.RawSetString(key, v)
		}
		if name == "string" {
			w.stringMeta = table()
			w.stringMeta.RawSetString("__index", real)
			w.stringMeta.RawSetString("__metatable", w.sealed)
		}
	}
	missing := table()
	missing.RawSetString("__index", function(luaMissing))
	w.globals.Metatable = missing
	w.chain = table()
	w.chain.RawSetString("__index", w.globals)
	return w
}

// seal makes front a table through which real is seen, and which refuses to be written to.
func (w *worldTables) seal(front, meta, real *lua.LTable) *lua.LTable {
	if real != nil {
		meta.RawSetString("__index", real)
	}
	meta.RawSetString("__newindex", w.refuse)
	if w.sealed != nil {
		meta.RawSetString("__metatable", w.sealed)
	} else {
		meta.RawSetString("__metatable", front)
	}
	front.Metatable = meta
	w.seals[front] = true
	return front
}

// borrow takes over the functions of one of gopher-lua's libraries.
func (w *worldTables) borrow(l *lua.LState, name string, opens lua.LGFunction) {
	l.Push(l.NewFunction(opens))
	if name != "" {
		l.Push(lua.LString(name))
		l.Call(1, 1)
	} else {
		l.Call(0, 1)
	}
	l.Get(-1).(*lua.LTable).ForEach(func(key, value lua.LValue) {
		if f, ok := value.(*lua.LFunction); ok && f.IsG {
			w.library[name+"."+key.String()] = f.GFunction
		}
	})
	l.Pop(1)
}

// globals returns the globals of a run, as its script sees them.
func (r *run) globals(l *lua.LState) *lua.LTable {
	own := l.NewTable()
	own.Metatable = world.chain
	own.RawSetString("KEYS", r.list(l, r.input.Keys))
	own.RawSetString("ARGV", r.list(l, r.input.Args))
	front, meta := l.NewTable(), l.NewTable()
	meta.RawSetString("__index", own)
	meta.RawSetString("__newindex", world.refuse)
	meta.RawSetString("__metatable", world.sealed)
	front.Metatable = meta
	own.RawSetString("_G", front)
	return front
}

// list is a table of strings.
func (r *run) list(l *lua.LState, words [][]byte) *lua.LTable {
	t := l.CreateTable(len(words), 0)
	for i, w := range words {
		r.budget.memory -= int64(slotBytes + len(w))
		t.RawSetInt(i+1, lua.LString(w))
	}
	return t
}

// sealed reports whether a table refuses to be written to.
func (r *run) sealed(t *lua.LTable) bool { return t == r.env || world.seals[t] }

func luaMissing(l *lua.LState) int {
	l.RaiseError("Script attempted to access nonexistent global variable '%s'", asText(l.Get(2)))
	return 0
}
