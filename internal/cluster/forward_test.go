package cluster

import (
	"fmt"
	"testing"

	"ciderd/internal/fsm"
)

// The row that stops duplicates does not go before a batch that was let in while its server was still
// in the configuration: sent a second time, it would be applied a second time.
func TestRemovalWaitsForBatches(t *testing.T) {
	c := newTestCluster(t, 3)
	c.startAll()
	leader, gone := c.leader(), c.followers()[0].self
	c.set(leader, "k", "v")
	c.stop(gone.Node)
	batch := func() []byte {
		return fsm.AppendBatch(nil, fsm.Header{Origin: []byte(gone.ServerID), Incarnation: 1000, Sequence: 1, Count: 1},
			fsm.AppendCommand(nil, &fsm.Command{Op: fsm.OpSet, User: c.uid, Key: []byte("k"), Value: []byte("once")}))
	}
	p := newProposer(leader)
	defer p.close()
	future, err := leader.enqueueOf(gone.ServerID, p, batch())
	if err != nil || future.Error() != nil {
		t.Fatal(err, future.Error())
	}
	if got := c.get(leader, "k"); got != "once" {
		t.Fatalf("the batch was not applied: %q", got)
	}
	c.set(leader, "k", "after")

	leader.taking.RLock() // as one that has found the server in the configuration
	removed := make(chan error, 1)
	go func() { removed <- leader.remove(gone.ServerID) }()
	eventually(t, "removed", func() bool { return !leader.isServer(gone.ServerID) })
	for i := range 50 { // time enough for the row to go
		c.set(leader, fmt.Sprint("other", i), "v")
	}
	future, err = p.enqueue(batch())
	leader.taking.RUnlock()
	if err != nil || future.Error() != nil {
		t.Fatal(err, future.Error())
	}
	if err := <-removed; err != nil {
		t.Fatal(err)
	}
	if got := c.get(leader, "k"); got != "after" {
		t.Errorf("k is %q: the batch was applied twice", got)
	}
	if _, err := leader.enqueueOf(gone.ServerID, p, batch()); err == nil {
		t.Error("a batch of the removed server was let in")
	}
}
