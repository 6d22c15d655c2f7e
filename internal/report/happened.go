package report

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// What Events tell of two moments, one after the other. Each is called with mu held.

func (e *Events) leaders(now time.Time, a, b *moment) {
	switch {
	case a.leader == b.leader && b.changes > a.changes: // there and back between two looks
		e.keep(now, "leader", Plural(b.changes-a.changes, "change")+" of the leader; "+b.leader+" leads again")
	case a.leader == b.leader:
	case b.leader == "":
		e.keep(now, "leader", "no leader is known; "+a.leader+" led before")
	case a.leader == "":
		e.keep(now, "leader", b.leader+" leads now")
	default:
		e.keep(now, "leader", b.leader+" leads now; "+a.leader+" led before")
	}
}

func (e *Events) members(now time.Time, a, b *moment) {
	if a.voters != b.voters && a.voters > 0 {
		e.keep(now, "members", fmt.Sprintf("%d servers vote now; %d did before", b.voters, a.voters))
	}
	for _, name := range slices.Sorted(maps.Keys(b.silent)) {
		why := b.silent[name]
		switch was, known := a.silent[name]; {
		case !known && why == "":
			e.keep(now, "members", name+" is there")
		case !known:
		case was == "" && why != "":
			e.keep(now, "silent", name+" does not answer: "+why)
		case was != "" && why == "":
			e.keep(now, "answers", name+" answers")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(a.silent)) {
		if _, still := b.silent[name]; !still {
			e.keep(now, "members", name+" is gone")
		}
	}
}

// own is about the node itself.
func (e *Events) own(now time.Time, a, b *moment) {
	switch {
	case !a.draining && b.draining:
		e.keep(now, "draining", b.node+" is draining")
	case a.draining && !b.draining:
		e.keep(now, "draining", b.node+" takes clients again")
	case a.notReady != "" && b.notReady == "":
		e.keep(now, "ready", b.node+" serves reads")
	case a.notReady == "" && b.notReady != "":
		e.keep(now, "ready", b.node+" serves no reads: "+b.notReady)
	}
	switch {
	case !a.full && b.full:
		e.keep(now, "disk", "the disk of "+b.node+" is nearly full")
	case a.full && !b.full:
		e.keep(now, "disk", "the disk of "+b.node+" has space again")
	}
}

func (e *Events) evictions(now time.Time, a, b *moment) {
	switch {
	case a.notReady != "" || b.notReady != "": // its state is being read
	case b.evicted > a.evicted && !e.evicting:
		e.evicting, e.evicted, e.items = true, now, a.evicted
		text := "evictions begin"
		if b.memoryLimit > 0 {
			text += ": memory is at the limit of " + Bytes(int64(b.memoryLimit)) + ", or a user at a quota"
		}
		e.keep(now, "evictions", text)
	case b.evicted > a.evicted:
		e.evicted = now
	case b.evicted < e.items: // another state has been installed
		e.items = b.evicted
	case e.evicting && now.Sub(e.evicted) >= quiet:
		e.evicting = false
		e.keep(now, "evictions", "evictions have ended: "+Plural(b.evicted-e.items, "item"))
	}
}

func (e *Events) floods(now time.Time, _, b *moment) {
	switch {
	case !e.flooded && b.wrong >= wrongTold:
		e.flooded = true
		e.keep(now, "logins", fmt.Sprintf("%d logins with wrong passwords within a minute on %s", b.wrong, b.node))
	case e.flooded && b.wrong < wrongTold/2:
		e.flooded = false
		e.keep(now, "logins", "the flood of wrong passwords on "+b.node+" is over")
	}
}

// sameStart is by how much the time at which a node says that it started may differ: its clock may be set, in milliseconds.
const sameStart = 1000

// look tells which other nodes have been restarted since it last looked.
func (e *Events) look(now time.Time, nodes []NodeView) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.started == nil {
		e.started = map[string]int64{}
	}
	for _, n := range nodes {
		if n.Own == nil || e.seen != nil && n.Name == e.seen.node {
			continue
		}
		if before, known := e.started[n.Name]; known && n.Own.Started > before+sameStart {
			e.keep(now, "restarted", n.Name+" was restarted, release "+n.Own.Version)
		}
		e.started[n.Name] = n.Own.Started
	}
}
