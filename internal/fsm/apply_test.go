package fsm

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/hashicorp/raft"

	"ciderd/internal/cache"
)

// What the randomized tests in this file hold the FSM to, after any log:
//
//   - each command's result is the model's, on the node that the batch is from and on no other;
//   - each user's version, items, versions, deadlines and remembered ids are the model's, and so
//     are the origins and the time;
//   - what has expired cannot be read, though it may still be there;
//   - a node that has been restored on the way, any number of times, holds the same.

// seeds is how many random logs a test goes through: CIDERD_SEEDS, or few.
func seeds(t *testing.T, few int) int {
	v := os.Getenv("CIDERD_SEEDS")
	if v == "" {
		return few
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 {
		t.Fatalf("CIDERD_SEEDS=%q is no positive number", v)
	}
	return n
}

func TestApplyIsTheModel(t *testing.T) {
	for seed := range seeds(t, 4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s := newStory(uint64(seed))
			var nodes []*node // one for each origin, as results are told at home only
			for _, id := range storyOrigins {
				nodes = append(nodes, newNode(t, id))
			}
			for range 300 {
				b := s.next()
				for _, n := range nodes {
					checkBatch(t, n, b)
				}
				checkState(t, nodes[s.r.IntN(len(nodes))], s.model)
				if t.Failed() {
					return
				}
			}
			if marks := nodes[0].StateHashes(); !slices.Equal(marks, nodes[1].StateHashes()) || marks[0].Index != 300 || len(marks) != 2 {
				t.Errorf("marks %v and %v", marks, nodes[1].StateHashes())
			}
			sameDump(t, "another node's state", nodes[1].FSM, nodes[0].FSM)
			sameDump(t, "another node's state", nodes[2].FSM, nodes[0].FSM)
		})
	}
}

func checkBatch(t *testing.T, n *node, b sent) {
	before := len(n.order)
	n.feed(b.entry)
	mine := b.accepted && string(b.h.Origin) == n.self
	if got := len(n.order) > before; got != mine {
		t.Fatalf("%s was told of batch %d of %s (accepted: %v): %v", n.self, b.h.Sequence, b.h.Origin, b.accepted, got)
	}
	if !mine {
		return
	}
	id := n.order[before]
	got := n.told[id].results
	delete(n.told, id) // as the same may come again, once its row was dropped
	for i, want := range b.results {
		if !sameResult(got[i], want) {
			t.Errorf("command %d of %d, %s: %s, want %s", i, len(b.results), meaning(&b.commands[i]), inWords(got[i]), inWords(want))
		}
	}
}

func checkState(t *testing.T, n *node, m *model) {
	t.Helper()
	s := n.state.Load()
	if s.time != m.now || s.closed != m.closed || n.Closed() != m.closed || s.users.last != m.last || n.Stats().Users != len(m.users) || n.Applied() != n.index {
		t.Fatalf("time %d, last user %d, %d users, applied %d, closed %v; want %d, %d, %d, %d, %v", s.time, s.users.last,
			n.Stats().Users, n.Applied(), s.closed, m.now, m.last, len(m.users), n.index, m.closed)
	}
	origins := map[string][2]uint64{}
	for id, row := range s.origins {
		origins[id] = [2]uint64{row.incarnation, row.sequence}
	}
	if !maps.Equal(origins, m.origins) {
		t.Fatalf("origins %v, want %v", origins, m.origins)
	}
	seed := ""
	if s := n.Seed(); s != nil {
		seed = string(s[:])
	}
	if seed != m.seed {
		t.Fatalf("seed %x, want %x", seed, m.seed)
	}
	if got := n.Stats().Backup; got != m.backup {
		t.Fatalf("last backup %+v, want %+v", got, m.backup)
	}
	checkLimits(t, n, m)
	first, any := int64(0), false
	for id, u := range m.users {
		checkUser(t, n, m, id, u)
		for _, it := range u.items {
			if it.deadline != 0 && (!any || it.deadline < first) {
				first, any = it.deadline, true
			}
		}
	}
	if got, ok := n.NextDeadline(); ok != any || got != first {
		t.Fatalf("next deadline %d %v, want %d %v", got, ok, first, any)
	}
	if _, ok := n.Epoch(m.last + 1); ok || n.Reader(m.last+1).Keyspace() != nil {
		t.Fatal("a user who is not there has an epoch or a cache")
	}
}

func checkLimits(t *testing.T, n *node, m *model) {
	t.Helper()
	shares := n.Shares()
	limits, set := shares.Limits()
	got := modelLimits{set: set, reject: limits.Reject, max: limits.MaxMemory, quota: limits.Quota, working: shares.Working(), evicted: shares.Evicted()}
	all, fixed, reserves, _ := m.memory()
	if l := &n.state.Load().ledger; got != m.limits || shares.Memory() != all || l.fixed.Load() != fixed || l.reserves.Load() != reserves {
		t.Fatalf("limits %+v, memory %d, fixed %d, reserves %d; want %+v, %d, %d, %d",
			got, shares.Memory(), l.fixed.Load(), l.reserves.Load(), m.limits, all, fixed, reserves)
	}
	quotas := m.limits.quota > 0
	for _, u := range m.users {
		quotas = quotas || u.quota > 0
	}
	if shares.Quotas() != quotas {
		t.Fatalf("someone has a quota: %v", !quotas)
	}
}

func checkUser(t *testing.T, n *node, m *model, id uint64, u *modelUser) {
	t.Helper()
	got, ok := n.Lookup([]byte(u.name))
	epoch, there := n.Epoch(id)
	if !ok || !there || got.ID != id || got.Name != u.name || string(got.Hash) != u.hash || got.Epoch != u.epoch || got.Locked != u.locked || got.Restoring != u.restoring || epoch != u.epoch {
		t.Fatalf("user %+v (%v), epoch %d (%v), want %d %+v", got, ok, epoch, there, id, u)
	}
	limits, _ := n.Shares().Limits()
	usage, _ := n.Shares().Of(id)
	want := Usage{Memory: u.memory(), Fixed: u.fixed(), Quota: m.quotaOf(u), OwnQuota: u.quota, Reserve: u.reserve, Guarantee: m.guarantee(u), Evicted: u.evicted}
	if usage != want {
		t.Fatalf("user %d has %+v, want %+v (limits %+v)", id, usage, want, limits)
	}
	ks := n.Reader(id).Keyspace()
	if ks.Version() != u.version {
		t.Fatalf("user %d: version %d, want %d", id, ks.Version(), u.version)
	}
	items := map[string]modelItem{}
	ks.Freeze().Range(func(key, value []byte, version uint64, deadline int64) bool {
		items[string(key)] = modelItem{string(value), version, deadline}
		return true
	})
	if !maps.Equal(items, u.items) {
		t.Fatalf("user %d: items %v, want %v", id, items, u.items)
	}
	for key := range u.items {
		checkRead(t, ks, m, u, key)
	}
	var ids []modelOnce
	for _, r := range n.state.Load().users.byID[id].once.order {
		ids = append(ids, modelOnce(r))
	}
	if !slices.Equal(ids, u.once) {
		t.Fatalf("user %d: ids %v, want %v", id, ids, u.once)
	}
}

func checkRead(t *testing.T, ks *cache.Keyspace, m *model, u *modelUser, key string) {
	t.Helper()
	it, ok := ks.Get([]byte(key), m.now)
	want, there := m.seen(u, []byte(key))
	if ok != there || string(it.Value) != want.value || it.Deadline != want.deadline {
		t.Fatalf("%s reads %q %d %v, want %v %v", key, it.Value, it.Deadline, ok, want, there)
	}
}

// A log is applied as it comes, or in groups, with restores between them.
func TestRestoredOnTheWay(t *testing.T) {
	for seed := range seeds(t, 6) {
		s := newStory(uint64(1000 + seed))
		straight, restored := newNode(t, "a/1"), newNode(t, "a/1")
		for range 200 {
			b := s.next()
			straight.feed(b.entry)
			restored.feed(b.entry)
			readSome(s, straight)
			readSome(s, restored)
			delete(straight.told, batchID{"a/1", b.h.Incarnation, b.h.Sequence})
			delete(restored.told, batchID{"a/1", b.h.Incarnation, b.h.Sequence})
			if s.r.IntN(15) == 0 {
				restored = restored.copied()
				row := s.model.origins["a/1"]
				if want := []batchID{{"", row[0], row[1]}}; !slices.Equal(restored.restored, want) {
					t.Fatalf("Restored was told %v, want %v", restored.restored, want)
				}
				sameDump(t, "a copy", restored.FSM, straight.FSM)
				checkState(t, restored, s.model)
				if restored.Size() != straight.Size() || restored.Applied() != straight.Applied() {
					t.Fatalf("size %d, applied %d; want %d, %d", restored.Size(), restored.Applied(), straight.Size(), straight.Applied())
				}
			}
		}
		sameDump(t, "the copy of copies", restored.FSM, straight.FSM)
		checkState(t, restored, s.model)
	}
}

// readSome gives a node heat that the others do not have.
func readSome(s *story, n *node) {
	for range s.r.IntN(20) {
		if ks := n.Reader(s.user()).Keyspace(); ks != nil {
			ks.Get(s.key(), 0)
			ks.Warmed(s.key(), uint8(s.r.IntN(8)))
			ks.Coldest(0, 0, 100, 2, nil)
		}
	}
}

// How Raft groups the entries must not matter.
func TestGroupsDoNotMatter(t *testing.T) {
	s := newStory(77)
	one, many := newNode(t, "none/1"), newNode(t, "none/1")
	var group []*raft.Log
	for i := range 300 {
		log := &raft.Log{Index: uint64(i + 1), Term: 7, Type: raft.LogCommand, Data: s.next().entry}
		if got := one.Apply(log); got != uint64(7) {
			t.Fatalf("response %v, want the term", got)
		}
		if group = append(group, log); s.r.IntN(20) == 0 || i == 299 {
			for _, r := range many.ApplyBatch(group) {
				if r != uint64(7) {
					t.Fatalf("response %v, want the term", r)
				}
			}
			group = nil
		}
	}
	sameDump(t, "the state by groups", many.FSM, one.FSM)
	if one.AppliedBytes() != many.AppliedBytes() || one.AppliedBytes() == 0 {
		t.Errorf("%d and %d bytes applied", one.AppliedBytes(), many.AppliedBytes())
	}
}

// The stories are of no use if they never get to some of the results.
func TestStoriesGetEverywhere(t *testing.T) {
	seen, skipped, evicted, stayed := map[Kind]int{}, 0, 0, 0
	for seed := range 6 {
		s := newStory(uint64(seed))
		for range 600 {
			before := s.model.limits.evicted
			b := s.next()
			if b.eviction != nil {
				evicted += int(s.model.limits.evicted - before)
				stayed += len(b.eviction.Victims) - int(s.model.limits.evicted-before)
			} else if !b.accepted {
				skipped++
			}
			for _, r := range b.results {
				seen[r.Kind]++
				if r.Kind == KindExec {
					for _, r := range r.Details.Results {
						seen[r.Kind]++
					}
				}
			}
		}
	}
	seen[KindOnceFull], seen[KindUnread], seen[KindBusy] = 4, 4, 4 // no story is so long; the leader makes the others
	for k := KindOK; k < kindEnd; k++ {
		if seen[k] < 4 {
			t.Errorf("kind %d came %d times", k, seen[k])
		}
	}
	if evicted < 50 || stayed < 100 {
		t.Errorf("%d victims were evicted, and %d not", evicted, stayed)
	}
	if skipped < 100 {
		t.Errorf("%d batches were skipped", skipped)
	}
}
