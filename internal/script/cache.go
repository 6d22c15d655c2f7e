package script

import (
	"container/list"
	"sync"
)

// What a Cache holds by default: about 16 times the source in memory.
const (
	cachedScripts = 1000
	cachedBytes   = 4 << 20
)

// Cache holds compiled scripts by their SHA, within a bound of scripts and of bytes of source. Those that were used least
// recently go first. The zero Cache is empty and ready; any goroutine may use it.
type Cache struct {
	mu      sync.Mutex // all below
	scripts map[string]*list.Element
	order   list.List // of *Script, the one used last in front
	bytes   int
}

// Get returns a script by its SHA, which is 40 digits in lower case, or nil.
func (c *Cache) Get(sha string) *Script {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.scripts[sha]
	if e == nil {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*Script)
}

// Has reports whether a script is there. That is no use of it.
func (c *Cache) Has(sha string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.scripts[sha] != nil
}

// Load compiles a script, or finds it compiled, and keeps it. Its error is that of Compile.
func (c *Cache) Load(source []byte) (*Script, error) {
	if s := c.Get(SHA(source)); s != nil {
		return s, nil
	}
	s, err := Compile(source)
	if err != nil {
		return nil, err
	}
	c.add(s)
	return s, nil
}

func (c *Cache) add(s *Script) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.scripts == nil {
		c.scripts = map[string]*list.Element{}
	}
	if c.scripts[s.SHA] != nil { // another one has compiled it meanwhile
		return
	}
	c.scripts[s.SHA] = c.order.PushFront(s)
	c.bytes += s.Size
	for c.bytes > cachedBytes || len(c.scripts) > cachedScripts {
		oldest := c.order.Remove(c.order.Back()).(*Script)
		delete(c.scripts, oldest.SHA)
		c.bytes -= oldest.Size
	}
}

// Flush drops all scripts.
func (c *Cache) Flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.scripts, c.bytes = nil, 0
	c.order.Init()
}

// Len returns the number of scripts.
func (c *Cache) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.scripts)
}
