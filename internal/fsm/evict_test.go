package fsm

import (
	"fmt"
	"strings"
	"testing"
)

// evictAll feeds evictions of all items of a user, whatever it has.
func (n *node) evictAll(user uint64, target int64) {
	var victims []Victim
	ks := n.Shares().Keyspace(user)
	for i := range 3200 {
		if item, ok := ks.Get(fmt.Append(nil, i), 0); ok {
			victims = append(victims, Victim{user, fmt.Append(nil, i), item.Version})
		}
	}
	for len(victims) > 0 {
		some := min(len(victims), MaxVictims)
		n.feed(AppendEviction(nil, &Eviction{Target: target, Victims: victims[:some]}))
		victims = victims[some:]
	}
}

// Whatever an eviction names, a user within its guarantee loses nothing, and one above it no more than down to there.
func TestEvictionsLeaveTheGuarantee(t *testing.T) {
	n := withUser(t)
	n.one(1, register("greedy"), Result{Kind: KindUser, N: 2})
	n.one(1, limits(Limits{MaxMemory: MinMemory}), Result{Kind: KindOK})
	value := strings.Repeat("v", 4<<10)
	for i := range 500 {
		n.one(2, set(fmt.Sprint(i), value), Result{Kind: KindOK})
	}
	for i := range 3200 {
		n.one(2, Command{Op: OpSet, User: 2, Key: fmt.Append(nil, i), Value: []byte(value)}, Result{Kind: KindOK})
	}
	small, _ := n.Shares().Of(1)
	if small.Memory > small.Guarantee || n.Shares().Memory() < MinMemory/16*15 {
		t.Fatalf("%+v of %d", small, n.Shares().Memory())
	}
	for _, target := range []int64{MinMemory, MinMemory / 2} { // with the lower one, the guarantee is still above 2 MiB
		n.evictAll(1, target)
		if u, _ := n.Shares().Of(1); u.Evicted != 0 || u.Memory != small.Memory {
			t.Errorf("target %d: within its guarantee: %+v", target, u)
		}
	}
	n.evictAll(2, MinMemory/2)
	u, _ := n.Shares().Of(2)
	if whole := n.Shares().Memory(); u.Evicted == 0 || u.Memory < u.Guarantee-8<<10 || whole < MinMemory/2/8*7-8<<10 {
		t.Errorf("above its guarantee: %+v; %d in all", u, whole)
	}
}
