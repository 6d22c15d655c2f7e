package script

import (
	"fmt"
	"strings"
	"testing"
)

func source(i int) []byte { return fmt.Appendf(nil, "return %d", i) }

func (c *Cache) load(t *testing.T, source []byte) *Script {
	t.Helper()
	s, err := c.Load(source)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCacheKnowsScriptsByTheirSHA(t *testing.T) {
	var c Cache
	s := c.load(t, []byte("return 1"))
	if s.SHA != "e0e1f9fabfc9d4800c877a703b823ac0578ff8db" || c.Get(s.SHA) != s || !c.Has(s.SHA) || c.load(t, []byte("return 1")) != s {
		t.Errorf("%s is not what was loaded", s.SHA)
	}
	if _, err := c.Load([]byte("return )")); err == nil || c.Len() != 1 {
		t.Errorf("%v, %d scripts", err, c.Len())
	}
	if c.Flush(); c.Has(s.SHA) || c.Get(s.SHA) != nil || c.Len() != 0 {
		t.Error("it is still there")
	}
}

// The scripts stay within their bounds: the one that was used least recently goes first.
func TestCacheIsBounded(t *testing.T) {
	var c Cache
	first, second := c.load(t, source(0)), c.load(t, source(1))
	for i := 2; i < cachedScripts; i++ {
		c.load(t, source(i))
	}
	c.Get(first.SHA)
	c.Has(second.SHA) // no use of it
	if c.load(t, source(cachedScripts)); c.Len() != cachedScripts || !c.Has(first.SHA) || c.Has(second.SHA) {
		t.Errorf("%d scripts; the first is there %v, the second %v", c.Len(), c.Has(first.SHA), c.Has(second.SHA))
	}
	large := strings.Repeat(" ", MaxSource-20)
	for i := range 2 * cachedBytes / MaxSource {
		c.load(t, append(source(i), large...))
	}
	if c.bytes > cachedBytes || c.Has(first.SHA) || c.Len() < cachedBytes/MaxSource {
		t.Errorf("%d bytes of %d scripts", c.bytes, c.Len())
	}
	if _, err := c.Load([]byte(strings.Repeat(" ", MaxSource+1))); err == nil || !strings.HasPrefix(err.Error(), "ERR Error compiling script") {
		t.Errorf("a script that is too large: %v", err)
	}
}
