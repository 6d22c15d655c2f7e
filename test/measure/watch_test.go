//go:build e2e

package measure

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ciderd/test/harness"
)

// reported is what a node says of itself on its admin port, of what is measured here.
type reported struct {
	State struct {
		Items       int
		Memory      int64
		MemoryLimit int64
		Working     int64
		Evicted     uint64
	}
	Log struct {
		Snapshots uint64
		Eviction  struct{ Entries, Victims, Bytes, Waited, Late uint64 }
	}
}

func reportOf(n *harness.Node) (r reported, err error) {
	client := http.Client{Timeout: 5 * time.Second}
	resp, err := client.Get("http://" + n.Admin + "/status")
	if err != nil {
		return r, err
	}
	defer func() { _ = resp.Body.Close() }()
	return r, json.NewDecoder(resp.Body).Decode(&r)
}

// watched is the highest that was seen of one node.
type watched struct {
	anonymous, counted int64
	items              int
	lowest             int64 // limit that was worked to
	last               reported
	gone               []reported // of processes that have ended
}

// watch samples all nodes every 100 ms until it is ended.
type watch struct {
	stop atomic.Bool
	wg   sync.WaitGroup
	mu   sync.Mutex // seen
	seen map[*harness.Node]*watched
}

func startWatch(c *harness.Cluster) *watch {
	w := &watch{seen: map[*harness.Node]*watched{}}
	for _, n := range c.Nodes {
		w.seen[n] = &watched{}
		w.wg.Go(func() {
			tick := time.NewTicker(100 * time.Millisecond)
			defer tick.Stop()
			for ; !w.stop.Load(); <-tick.C {
				w.sample(n)
			}
		})
	}
	return w
}

// sample looks at a node, which may be dead.
func (w *watch) sample(n *harness.Node) {
	anonymous, err := n.Anonymous()
	if err != nil {
		return
	}
	r, err := reportOf(n)
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.seen[n]
	s.anonymous = max(s.anonymous, anonymous)
	if err != nil {
		return
	}
	if r.Log.Eviction.Entries < s.last.Log.Eviction.Entries || r.Log.Snapshots < s.last.Log.Snapshots {
		s.gone = append(s.gone, s.last)
	}
	s.last, s.counted, s.items = r, max(s.counted, r.State.Memory), max(s.items, r.State.Items)
	if s.lowest == 0 || r.State.Working < s.lowest {
		s.lowest = r.State.Working
	}
}

// end gives what was seen, in the order of the nodes.
func (w *watch) end(t *testing.T, c *harness.Cluster) (all []*watched) {
	t.Helper()
	w.stop.Store(true)
	w.wg.Wait()
	for _, n := range c.Nodes {
		w.sample(n)
		all = append(all, w.seen[n])
	}
	return all
}

// evictions sums up what all processes have done as leaders.
func evictions(all []*watched) (entries, victims, bytes, late uint64) {
	for _, s := range all {
		for _, r := range append(s.gone, s.last) {
			e := r.Log.Eviction
			entries, victims, bytes, late = entries+e.Entries, victims+e.Victims, bytes+e.Bytes, late+e.Late
		}
	}
	return entries, victims, bytes, late
}

func memorySize(bytes int64) string {
	if bytes >= 1<<30 {
		return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30))
	}
	return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20))
}
