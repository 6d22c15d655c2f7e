package cache

// Get returns the item of key as of the freeze, unless its deadline is at or before now (Unix milliseconds).
func (v *View) Get(key []byte, now int64) (Item, bool) {
	return v.dir.find(hashKey(key), key).item(now)
}
