package cluster

import (
	"strings"
	"testing"

	"github.com/hashicorp/raft"

	"ciderd/internal/fsm"
)

// What the proposing node believes is asked, and the leader, which knows better, takes out what it must: the
// command is answered, the rest of its batch is done, and no server ends.
func TestNoServerIsSentWhatItDoesNotRead(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.startAll()
	leader, other, down := c.leader(), c.followers()[0], c.followers()[1]
	for _, n := range c.nodes {
		eventually(t, "all known", func() bool { return n.Reads(fsm.EntryVersion) })
	}
	if leader.Reads(fsm.EntryVersion + 1) {
		t.Error("who reads the next one?")
	}
	// One is as of the release before, for the leader alone. It is down: so the leader does not hear the truth again from it.
	c.stop(down.config.Node)
	eventually(t, "taken out", func() bool {
		leader.formats.note(down.raft.self, oldest)
		if leader.Reads(fsm.OpRegister.Since()) {
			return false
		}
		results, err := other.Propose(fsm.NewGroup(fsm.Command{Op: fsm.OpRegister, Name: []byte("new"), Value: []byte("hash")}), patience).Wait()
		if err != nil {
			t.Fatal(err)
		}
		return results[0].Kind == fsm.KindUnread
	})
	if used := other.fsm.InUse(); used != oldest {
		t.Errorf("the log has held an entry of version %d", used)
	}
	c.start(down.config.Node)
	command := fsm.NewUser("bob", []byte("hash"), 0, func(int) bool { return true })
	eventually(t, "the truth heard, and so done", func() bool {
		results, err := other.Propose(fsm.NewGroup(command), patience).Wait()
		return err == nil && results[0].Kind == fsm.KindUser
	})
	if used := other.fsm.InUse(); used != fsm.OpRegister.Since() {
		t.Errorf("in use is version %d", used)
	}
}

// A server that cannot read the log is told what to install instead of being let in: also when the entry has
// only just been given to Raft.
func TestServersThatCannotReadTheLogAreNotAdmitted(t *testing.T) {
	applied := oldest
	f := &formats{self: "a/1", reads: map[string]int{}, servers: func() []string { return []string{"a/1"} }, applied: func() int { return applied }}
	added := 0
	admit := func(reads int) error {
		_, err := f.admit("b/1", reads, func() raft.IndexFuture { added++; return nil })
		return err
	}
	if err := admit(oldest); err != nil || added != 1 {
		t.Errorf("nothing new is in use: %v, %d", err, added)
	}
	new := fsm.AppendBatch(nil, fsm.Header{Version: fsm.EntryVersion, Origin: []byte("a/1"), Incarnation: 1, Sequence: 1})
	if _, err := f.enter(new, fsm.Refusal{}, func([]byte) (raft.ApplyFuture, error) { return nil, nil }); err != nil {
		t.Fatal(err)
	}
	if err := admit(oldest); err == nil || !strings.Contains(err.Error(), "install ciderd "+fsm.Release+" or later") || added != 1 {
		t.Errorf("an entry is on its way that it does not read: %v, %d", err, added)
	}
	f.entered, applied = 0, fsm.EntryVersion
	f.servers = func() []string { return []string{"a/1", "c/1"} }
	if got := f.all(); got != fsm.EntryVersion {
		t.Errorf("a node that has just started takes a log of version %d for one that is read up to %d", applied, got)
	}
	if err := admit(oldest); err == nil || added != 1 {
		t.Errorf("an entry was applied that it does not read: %v, %d", err, added)
	}
	if err := admit(fsm.EntryVersion); err != nil || added != 2 {
		t.Errorf("it reads all: %v, %d", err, added)
	}
}
