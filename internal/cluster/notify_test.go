package cluster

import (
	"bytes"
	"os"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/peer"
)

// lines counts the lines of a log that have a text in them, and shows the others.
type lines struct {
	text string
	n    atomic.Int64
}

func (l *lines) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(l.text)) {
		l.n.Add(1)
		return len(p), nil
	}
	return os.Stderr.Write(p)
}

// A follower that gets an entry after the others refuses the news that it is committed. It hears of it
// once it has the entry: Raft itself sends nothing for minutes here.
func TestFollowerThatIsLateHearsOfTheCommit(t *testing.T) {
	c := newTestCluster(t, 3)
	c.timing = quiet
	c.linkAll()
	c.raftLog = map[string]hclog.Logger{}
	refusals := map[string]*lines{}
	for _, m := range c.members {
		refusals[m.Name] = &lines{text: "failed to get previous log"}
		c.raftLog[m.Name] = hclog.New(&hclog.LoggerOptions{Name: m.Name, Level: hclog.Warn, Output: refusals[m.Name]})
	}
	leader := c.startAllQuiet()
	late := c.followers()[0]
	c.set(leader, "k", "before")
	eventually(t, "the first value on the follower", func() bool { return c.get(late, "k") == "before" })

	link := c.link(leader, late)
	entry := func(f *flow) bool {
		return !f.reply && f.kind == peer.KindRaft && bytes.Contains(f.bytes, []byte("after"))
	}
	link.hold(entry)
	c.set(leader, "k", "after")
	eventually(t, "the entry on its way", func() bool { return link.held(entry) > 0 })
	before := refusals[late.self.Node].n.Load()
	eventually(t, "the news refused again", func() bool { return refusals[late.self.Node].n.Load() > before })
	if got := c.get(late, "k"); got != "before" {
		t.Fatalf("k is %q on the follower, which has not been sent the entry", got)
	}
	link.hold(nil)
	eventually(t, "the second value on the follower", func() bool { return c.get(late, "k") == "after" })
}
