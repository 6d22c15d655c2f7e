package resp

import "strings"

// AppendKeys appends those of args, a request of c's, that are keys. It returns dst if there are none, or where they
// are cannot be told.
func (c *Command) AppendKeys(dst [][]byte, args [][]byte) [][]byte {
	for _, k := range c.Keys {
		switch k.how {
		case ranged:
			last := k.First + k.Last
			if k.Last < 0 {
				last = len(args) + k.Last
			}
			dst = appendEvery(dst, args, k.First, last, k.Step)
		case counted:
			if n, ok := ParseInt(args[k.First]); ok && 0 <= n && n < int64(len(args)-k.First) {
				dst = appendEvery(dst, args, k.First+1, k.First+int(n), k.Step)
			}
		case wrapped:
			if inner, err := Lookup(args[k.First:]); err == nil && inner != c {
				dst = inner.AppendKeys(dst, args[k.First:])
			}
		}
	}
	return dst
}

func appendEvery(dst, args [][]byte, first, last, step int) [][]byte {
	for i := first; i <= last && i < len(args); i += step {
		dst = append(dst, args[i])
	}
	return dst
}

// getKeys answers COMMAND GETKEYS, where args is the request that it is about.
func getKeys(w *Writer, args [][]byte) {
	c := find(args)
	switch {
	case c == nil || c.Has(Refused):
		w.Error("ERR Invalid command specified")
		return
	case len(c.Keys) == 0:
		w.Error("ERR The command has no key arguments")
		return
	case !c.accepts(len(args)):
		w.Error("ERR Invalid number of arguments specified for command")
		return
	}
	keys := c.AppendKeys(nil, args)
	if len(keys) == 0 && !c.Has(NoMandatoryKeys) {
		w.Error("ERR Invalid arguments specified for command")
		return
	}
	w.Array(len(keys))
	for _, key := range keys {
		w.Bulk(key)
	}
}

// info writes a KeySpec as COMMAND INFO has it.
func (k *KeySpec) info(w *Writer) {
	w.Map(3)
	w.BulkString("flags")
	writeSet(w, strings.Fields(k.Access))
	w.BulkString("begin_search")
	if k.how == wrapped {
		writeSearch(w, "unknown")
	} else {
		writeSearch(w, "index", fact{"index", k.First})
	}
	w.BulkString("find_keys")
	switch k.how {
	case ranged:
		writeSearch(w, "range", fact{"lastkey", k.Last}, fact{"keystep", k.Step}, fact{"limit", 0})
	case counted:
		writeSearch(w, "keynum", fact{"keynumidx", 0}, fact{"firstkey", 1}, fact{"keystep", k.Step})
	case wrapped:
		writeSearch(w, "unknown")
	}
}

// fact is a number of a KeySpec, by its name.
type fact struct {
	name  string
	value int
}

func writeSearch(w *Writer, kind string, spec ...fact) {
	w.Map(2)
	w.BulkString("type")
	w.BulkString(kind)
	w.BulkString("spec")
	w.Map(len(spec))
	for _, f := range spec {
		w.BulkString(f.name)
		w.Int(int64(f.value))
	}
}

// writeSet writes a set of words.
func writeSet(w *Writer, words []string) {
	w.Set(len(words))
	for _, word := range words {
		w.Simple(word)
	}
}
