package cluster

import (
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/fsm"
	"ciderd/internal/peer"
)

// BenchmarkSet is one write after the other through the whole of a single node: batch, log, disk, state.
func BenchmarkSet(b *testing.B) {
	n, err := Open(Config{
		Cluster: "test", Node: "n1", Members: peer.Members{{Name: "n1"}}, DataDir: b.TempDir(), Log: hclog.NewNullLogger(),
		Fatal: func(err error) { b.Error(err) },
	})
	if err != nil {
		b.Fatal(err)
	}
	defer n.Close(b.Context())
	for !n.Ready() {
		time.Sleep(time.Millisecond)
	}
	do := func(c fsm.Command) fsm.Result {
		results, err := n.Propose(fsm.NewGroup(c), time.Minute).Wait()
		if err != nil {
			b.Fatal(err)
		}
		return results[0]
	}
	user := uint64(do(fsm.Command{Op: fsm.OpSignup, Name: []byte("alice"), Value: []byte("hash")}).N)
	key, value := []byte("key"), make([]byte, 100)
	b.ReportAllocs()
	for b.Loop() {
		do(fsm.Command{Op: fsm.OpSet, User: user, Key: key, Value: value})
	}
}
