package diskspace

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/peer"
	"ciderd/internal/peerstate"
	"ciderd/internal/storage"
)

// lone is a node that leads alone, with a disk that the test fills.
type lone struct {
	*Space
	free      atomic.Uint64
	closed    atomic.Bool
	setClosed atomic.Pointer[func(bool) error] // nil: it is done at once
}

func newLone(ctx context.Context, t *testing.T) *lone {
	t.Helper()
	n := &lone{}
	n.free.Store(1 << 40)
	network := peer.NewNetwork(peer.Identity{ServerID: "n1/a", Node: "n1"}, peer.Members{{Name: "n1"}}, nil, hclog.NewNullLogger())
	st, err := storage.Open(t.TempDir(), hclog.NewNullLogger(), func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	n.Space = New(ctx, Config{
		Peers:   peerstate.New(network, func() string { return "n1/a" }, func() uint64 { return 0 }, hclog.NewNullLogger()),
		Storage: st, Free: func() (uint64, error) { return n.free.Load(), nil }, Reads: func(string, int) {}, Log: hclog.NewNullLogger(),
		Cluster: Cluster{
			Leads: func() bool { return true }, Voters: func() ([]string, bool) { return nil, true }, Ready: func() bool { return true },
			Size: func() int64 { return 0 }, Closed: n.closed.Load, CanRefuse: func() bool { return true },
			Transfer: func(context.Context) error { return nil },
			SetClosed: func(closed bool) error {
				if f := n.setClosed.Load(); f != nil {
					return (*f)(closed)
				}
				n.closed.Store(closed)
				return nil
			},
		},
	})
	return n
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not in time: " + what)
		}
	}
}

// A leader whose disk fills up closes the state and opens it again when there is space, and says which it is.
func TestClosesAndOpens(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	n := newLone(ctx, t)
	ended := make(chan struct{})
	go func() { n.Run(ctx); close(ended) }()
	eventually(t, "it has looked", func() bool { return n.Stats().Free == 1<<40 })
	if s := n.Stats(); s.Low || s.Refuses || n.Refuses() || !n.HasForChange() {
		t.Errorf("with space: %+v", s)
	}
	n.free.Store(forChange - 1)
	eventually(t, "closed", n.closed.Load)
	var told peerstate.State
	if n.Describe(&told); !told.NoSpace || !told.Urgent || !n.Low() || !n.Refuses() || n.HasForChange() {
		t.Errorf("without space it tells %+v", told)
	}
	n.free.Store(1 << 40)
	eventually(t, "open", func() bool { return !n.closed.Load() && !n.Refuses() })
	cancel()
	<-ended
}

// A write that found no space has entries wait until it is known whether others have any: not for longer than a
// moment, and not beyond the node's end.
func TestUndecided(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		n := &Space{config: Config{Cluster: Cluster{Closed: func() bool { return false }, CanRefuse: func() bool { return true }}, Log: hclog.NewNullLogger()},
			now: make(chan struct{}, 1), done: ctx.Done()}
		n.Full()
		began := time.Now()
		if n.Refuses() || time.Since(began) != 2*peerstate.OneTimeout {
			t.Errorf("it waited %v", time.Since(began))
		}
		if began = time.Now(); n.Refuses() || time.Since(began) != 0 {
			t.Errorf("it waited again, %v", time.Since(began))
		}
		n.Full()
		go func() {
			time.Sleep(time.Millisecond)
			cancel()
		}()
		if began = time.Now(); n.Refuses() || time.Since(began) != time.Millisecond {
			t.Errorf("it waited %v, and the node had ended", time.Since(began))
		}
	})
}
