package cluster

import (
	"bytes"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

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
	t.Parallel()
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
	before := refusals[late.config.Node].n.Load()
	eventually(t, "the news refused again", func() bool { return refusals[late.config.Node].n.Load() > before })
	if got := c.get(late, "k"); got != "before" {
		t.Fatalf("k is %q on the follower, which has not been sent the entry", got)
	}
	link.hold(nil)
	eventually(t, "the second value on the follower", func() bool { return c.get(late, "k") == "after" })
}

func TestWhoIsToldAgain(t *testing.T) {
	news := commit{term: 5, index: 100}
	for _, tc := range []struct {
		what          string
		term, lastLog uint64
		waited, want  time.Duration
	}{
		{"the entry is on its way", 5, 99, 0, behindPause},
		{"for longer", 5, 99, behindPause, 2 * behindPause},
		{"it is the last of those on their way", 5, 100 - maxAppendEntries, 0, behindPause},
		{"it is not on its way", 5, 99 - maxAppendEntries, 0, 0},
		{"another entry is in its place", 5, 100, 0, behindPause},
		{"more entries of another leader are", 5, 200, 0, behindPause},
		{"a later term", 6, 99, 0, 0},
		{"an empty log", 5, 0, 0, 0},
	} {
		if got := news.again(&raft.AppendEntriesResponse{Term: tc.term, LastLog: tc.lastLog}, tc.waited); got != tc.want {
			t.Errorf("%s: told again after %v, want %v", tc.what, got, tc.want)
		}
	}
}
