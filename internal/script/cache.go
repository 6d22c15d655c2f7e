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

// Cache holds compiled scripts by their owner and their SHA: nobody finds out, uses or drops those of others. It has a bound
// of scripts and of bytes of source. What goes first is what the owner of most has used least recently. The zero Cache is
// empty and ready; any goroutine may use it.
type Cache struct {
	mu     sync.Mutex // all below
	owners map[uint64]*owned
	count  int
	bytes  int
}

// owned is the scripts of one owner, at least one.
type owned struct {
	scripts map[string]*list.Element
	order   list.List // of *Script, the one used last in front
	bytes   int
}

// weight is how much of the cache they take.
func (o *owned) weight() int { return o.bytes + len(o.scripts)*(cachedBytes/cachedScripts) }

// Get returns an owner's script by its SHA, which is 40 digits in lower case, or nil.
func (c *Cache) Get(owner uint64, sha string) *Script {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.owners[owner]
	if o == nil || o.scripts[sha] == nil {
		return nil
	}
	e := o.scripts[sha]
	o.order.MoveToFront(e)
	return e.Value.(*Script)
}

// Has reports whether a script is there. That is no use of it.
func (c *Cache) Has(owner uint64, sha string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.owners[owner]
	return o != nil && o.scripts[sha] != nil
}

// Load compiles a script, or finds it compiled, and keeps it. Its error is that of Compile.
func (c *Cache) Load(owner uint64, source []byte) (*Script, error) {
	if s := c.Get(owner, SHA(source)); s != nil {
		return s, nil
	}
	s, err := Compile(source)
	if err != nil {
		return nil, err
	}
	c.add(owner, s)
	return s, nil
}

func (c *Cache) add(owner uint64, s *Script) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.owners[owner]
	if o == nil {
		if c.owners == nil {
			c.owners = map[uint64]*owned{}
		}
		o = &owned{scripts: map[string]*list.Element{}}
		c.owners[owner] = o
	}
	if o.scripts[s.SHA] != nil { // another session has compiled it meanwhile
		return
	}
	o.scripts[s.SHA] = o.order.PushFront(s)
	o.bytes, c.bytes, c.count = o.bytes+s.Size, c.bytes+s.Size, c.count+1
	for c.bytes > cachedBytes || c.count > cachedScripts {
		c.drop(c.heaviest())
	}
}

// heaviest returns the owner of most.
func (c *Cache) heaviest() (heaviest uint64) {
	most := -1
	for owner, o := range c.owners {
		if w := o.weight(); w > most {
			heaviest, most = owner, w
		}
	}
	return heaviest
}

// drop drops the script that an owner has used least recently.
func (c *Cache) drop(owner uint64) {
	o := c.owners[owner]
	s := o.order.Remove(o.order.Back()).(*Script)
	delete(o.scripts, s.SHA)
	o.bytes, c.bytes, c.count = o.bytes-s.Size, c.bytes-s.Size, c.count-1
	if len(o.scripts) == 0 {
		delete(c.owners, owner)
	}
}

// Flush drops all scripts of an owner.
func (c *Cache) Flush(owner uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if o := c.owners[owner]; o != nil {
		c.count, c.bytes = c.count-len(o.scripts), c.bytes-o.bytes
		delete(c.owners, owner)
	}
}

// Len returns the number of scripts.
func (c *Cache) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count
}
