package auth

import "container/list"

// The classes, in the order of their claims when somebody has to give way.
const (
	knownClass  = iota // the user has logged in from the address before; the address has no recent failures
	promptClass        // others without recent failures
	lateClass          // addresses with recent failures
	classCount
)

// fewAddresses can wait in a class and each have a share of its slots. When there are more, networks
// have: more addresses than that at a time, where a login takes a tenth of a second, are a crowd or one
// guesser with many.
const fewAddresses = 16

// class is the waiters of one class.
type class struct {
	all       fairQueue // parts: wide groups, narrow groups, addresses, users
	addresses list.List // of *fairQueue, those in all, the next to be served in front
}

// path is where a waiter stands in a class.
type path [4]string

const (
	toAddress = 3 // of a path's names lead to the address
	toGroup   = 1
)

func pathOf(r request) path {
	wide, narrow := groups(r.addr)
	return path{wide, narrow, r.addr, r.user}
}

// crowded reports whether slots go round over groups.
func (c *class) crowded() bool { return c.addresses.Len() > fewAddresses }

// shares are the queues that the class's slots go round over.
func (c *class) shares() *list.List {
	if c.crowded() {
		return &c.all.rotation
	}
	return &c.addresses
}

// share is the one of them that p leads to, nil if there is none yet, and the rest of the path in it.
func (c *class) share(p path) (*fairQueue, []string) {
	names := toAddress
	if c.crowded() {
		names = toGroup
	}
	return c.all.find(p[:names]), p[names:]
}

// add makes a waiter.
func (c *class) add(p path) *waiter {
	addr := &c.all
	for _, name := range p[:toAddress] {
		addr = addr.part(name)
	}
	if addr.inRound == nil {
		addr.inRound = c.addresses.PushBack(addr)
	}
	line := addr.part(p[toAddress])
	w := &waiter{class: c, line: line, called: make(chan error, 1)}
	w.inLine = line.line.PushBack(w)
	line.count(1)
	return w
}

// next is the waiter that the next slot goes to, nil if there is none. All that it is in goes to the end, in
// either round, so that nobody gets two slots in a row when the class becomes crowded.
func (c *class) next() *waiter {
	if c.all.waiting == 0 {
		return nil
	}
	addr := c.addresses.Front().Value.(*fairQueue)
	if c.crowded() {
		addr = c.all.first().first().first()
	}
	line := addr.first()
	line.sendBack()
	c.addresses.MoveToBack(addr.inRound)
	return line.line.Front().Value.(*waiter)
}

// remove takes w out, and drops what is then empty.
func (c *class) remove(w *waiter) {
	q := w.line
	q.line.Remove(w.inLine)
	w.line = nil
	q.count(-1)
	for ; q.in != nil && q.waiting == 0; q = q.in {
		q.in.rotation.Remove(q.inRotation)
		delete(q.in.parts, q.name)
		if q.inRound != nil {
			c.addresses.Remove(q.inRound)
		}
	}
}
