package cluster

import (
	"fmt"
	"testing"

	"ciderd/internal/fsm"
	"ciderd/internal/membership"
)

// The row that stops duplicates does not go before a batch that was let in while its server was still
// in the configuration: sent a second time, it would be applied a second time.
func TestRemovalWaitsForBatches(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.startAll()
	leader, gone := c.leader(), c.followers()[0].network.Self
	c.set(leader, "k", "v")
	c.stop(gone.Node)
	batch := func() []byte {
		return fsm.AppendBatch(nil, fsm.Header{Origin: []byte(gone.ServerID), Incarnation: 1000, Sequence: 1, Count: 1},
			fsm.AppendCommand(nil, &fsm.Command{Op: fsm.OpSet, User: c.uid, Key: []byte("k"), Value: []byte("once")}))
	}
	future, err := leader.forwards.enqueueOf(gone.ServerID, batch())
	if err != nil || future.Error() != nil {
		t.Fatal(err, future.Error())
	}
	if got := c.get(leader, "k"); got != "once" {
		t.Fatalf("the batch was not applied: %q", got)
	}
	c.set(leader, "k", "after")

	leader.forwards.taking.RLock() // as one that has found the server in the configuration
	removed := make(chan error, 1)
	go func() {
		_, err := leader.membership.Change(t.Context(), membership.OpRemove, gone.Node, true)
		removed <- err
	}()
	eventually(t, "removed", func() bool { return !leader.raft.isServer(gone.ServerID) })
	for i := range 50 { // time enough for the row to go
		c.set(leader, fmt.Sprint("other", i), "v")
	}
	future, err = leader.forwards.entries.enqueue(batch())
	leader.forwards.taking.RUnlock()
	if err != nil || future.Error() != nil {
		t.Fatal(err, future.Error())
	}
	if err := <-removed; err != nil {
		t.Fatal(err)
	}
	if got := c.get(leader, "k"); got != "after" {
		t.Errorf("k is %q: the batch was applied twice", got)
	}
	if _, err := leader.forwards.enqueueOf(gone.ServerID, batch()); err == nil {
		t.Error("a batch of the removed server was let in")
	}
}
