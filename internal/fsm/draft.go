package fsm

import "ciderd/internal/cache"

// Draft runs commands on some items of a user, aside: nothing of it is replicated, and it has no limits on memory. It is how
// a script finds out what its commands would do, by the very code that will do it. It is for one goroutine, and has no more
// than what was loaded and what its commands have made of that.
type Draft struct {
	a  applier
	ks *cache.Keyspace
}

// NewDraft returns a Draft without items, at the time now, in Unix milliseconds: what is due then counts as gone.
func NewDraft(now int64) *Draft {
	s := newState()
	s.time = now
	d := &Draft{ks: s.store.Create(1)}
	d.ks.SetVersion(draftVersion)
	made := &account{user: &User{ID: 1}, keyspace: d.ks}
	s.users.add(made)
	d.a = applier{state: s, account: made, version: EntryVersion, mine: true}
	return d
}

// draftVersion is from where on a Draft's own versions count: above those of all items that may be loaded.
const draftVersion = 1 << 62

// Load puts in an item with its version.
func (d *Draft) Load(key []byte, it cache.Item) { d.ks.Load(key, it.Value, it.Version, it.Deadline) }

// Do runs a command. It must be one that may stand in an OpExec, but for OpView, and whose keys were loaded.
func (d *Draft) Do(c *Command) Result {
	if !operations[c.Op].inside || c.Op == OpView {
		return Result{}
	}
	return d.a.write(c)
}

// Get returns what a key has now. If its version is above the one that was loaded, a command has changed it.
func (d *Draft) Get(key []byte) (it cache.Item, there bool) { return d.ks.Lookup(key, d.a.time) }
