package script

import (
	"fmt"
	"strings"
	"testing"

	"ciderd/test/norace"
)

func source(i int) []byte { return fmt.Appendf(nil, "return %d", i) }

func (c *Cache) load(t *testing.T, source []byte) *Script {
	t.Helper()
	s, err := c.Load(1, source)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCacheKnowsScriptsByTheirSHA(t *testing.T) {
	var c Cache
	s := c.load(t, []byte("return 1"))
	if s.SHA != "e0e1f9fabfc9d4800c877a703b823ac0578ff8db" || c.Get(1, s.SHA) != s || !c.Has(1, s.SHA) || c.load(t, []byte("return 1")) != s {
		t.Errorf("%s is not what was loaded", s.SHA)
	}
	if _, err := c.Load(1, []byte("return )")); err == nil || c.Len() != 1 {
		t.Errorf("%v, %d scripts", err, c.Len())
	}
	if c.Flush(1); c.Has(1, s.SHA) || c.Get(1, s.SHA) != nil || c.Len() != 0 {
		t.Error("it is still there")
	}
}

// The scripts stay within their bounds: the one that was used least recently goes first.
func TestCacheIsBounded(t *testing.T) {
	norace.Alone(t)
	var c Cache
	first, second := c.load(t, source(0)), c.load(t, source(1))
	for i := 2; i < cachedScripts; i++ {
		c.load(t, source(i))
	}
	c.Get(1, first.SHA)
	c.Has(1, second.SHA) // no use of it
	if c.load(t, source(cachedScripts)); c.Len() != cachedScripts || !c.Has(1, first.SHA) || c.Has(1, second.SHA) {
		t.Errorf("%d scripts; the first is there %v, the second %v", c.Len(), c.Has(1, first.SHA), c.Has(1, second.SHA))
	}
	large := strings.Repeat(" ", MaxSource-20)
	for i := range 2 * cachedBytes / MaxSource {
		c.load(t, append(source(i), large...))
	}
	if c.bytes > cachedBytes || c.Has(1, first.SHA) || c.Len() < cachedBytes/MaxSource {
		t.Errorf("%d bytes of %d scripts", c.bytes, c.Len())
	}
	if _, err := c.Load(1, []byte(strings.Repeat(" ", MaxSource+1))); err == nil || !strings.HasPrefix(err.Error(), "ERR Error compiling script") {
		t.Errorf("a script that is too large: %v", err)
	}
}

// Nobody sees, drops or crowds out the scripts of others.
func TestCachedScriptsAreOfAnOwner(t *testing.T) {
	var c Cache
	mine := c.load(t, source(0))
	if c.Get(2, mine.SHA) != nil || c.Has(2, mine.SHA) {
		t.Error("another owner has it")
	}
	for i := range 2 * cachedScripts {
		if _, err := c.Load(2, source(i)); err != nil {
			t.Fatal(err)
		}
	}
	if !c.Has(1, mine.SHA) || c.Len() != cachedScripts || c.Has(2, mine.SHA) {
		t.Errorf("of %d scripts mine is there %v", c.Len(), c.Has(1, mine.SHA))
	}
	if c.Flush(2); !c.Has(1, mine.SHA) || c.Len() != 1 || c.bytes != mine.Size || len(c.owners) != 1 {
		t.Errorf("%d scripts of %d bytes are left", c.Len(), c.bytes)
	}
	if c.Flush(1); c.Len() != 0 || c.bytes != 0 || len(c.owners) != 0 {
		t.Errorf("%d scripts of %d bytes are left", c.Len(), c.bytes)
	}
}
