package auth

import "container/list"

// fairQueue is waiters whose slots go round over its parts, which are fair queues themselves. One
// without parts is a line of waiters: those of one class and address that ask for one user. The semaphore's
// lock is held for all that is done to it.
type fairQueue struct {
	in         *fairQueue            // what it is a part of; nil: all of its class
	name       string                // among the parts of that
	waiting    int                   // in all parts
	parts      map[string]*fairQueue // only those with waiters
	rotation   list.List             // of *fairQueue: parts, the next to be served in front
	line       list.List             // of *waiter, the oldest in front
	inRotation *list.Element         // of this one in in.rotation
	inRound    *list.Element         // of an address in its class's addresses
}

type waiter struct {
	class  *class
	line   *fairQueue    // nil once the waiter is out of it
	inLine *list.Element // of this waiter in its line
	called chan error    // holds one: nil with a slot, ErrBusy when pushed out
}

// part is the part with that name, made if there is none.
func (q *fairQueue) part(name string) *fairQueue {
	p := q.parts[name]
	if p == nil {
		p = &fairQueue{in: q, name: name}
		p.inRotation = q.rotation.PushBack(p)
		if q.parts == nil {
			q.parts = map[string]*fairQueue{}
		}
		q.parts[name] = p
	}
	return p
}

// find is the part of parts at path, nil if there is none.
func (q *fairQueue) find(path []string) *fairQueue {
	for _, name := range path {
		if q == nil {
			return nil
		}
		q = q.parts[name]
	}
	return q
}

// length is how many wait; in no queue nobody does.
func (q *fairQueue) length() int {
	if q == nil {
		return 0
	}
	return q.waiting
}

// count adds n waiters to q and all that it is a part of.
func (q *fairQueue) count(n int) {
	for ; q != nil; q = q.in {
		q.waiting += n
	}
}

// first is the part that the next slot goes to.
func (q *fairQueue) first() *fairQueue { return q.rotation.Front().Value.(*fairQueue) }

// sendBack puts q behind all others, in all that it is a part of.
func (q *fairQueue) sendBack() {
	for ; q.in != nil; q = q.in {
		q.in.rotation.MoveToBack(q.inRotation)
	}
}

// longest is the one of queues with most waiters, among equals the one that is served last; nil if
// there is none.
func longest(queues *list.List) (found *fairQueue) {
	for e := queues.Back(); e != nil; e = e.Prev() {
		if q := e.Value.(*fairQueue); q.waiting > found.length() {
			found = q
		}
	}
	return found
}

// newest is the waiter that gives way for one of another queue: the last of the longest line of the
// longest part.
func (q *fairQueue) newest() *waiter {
	for q.rotation.Len() > 0 {
		q = longest(&q.rotation)
	}
	return q.line.Back().Value.(*waiter)
}

// rival is the waiter in q that gives way for a newcomer with that path in q, as it is in a longer part
// than the newcomer's would be; nil if there is none.
func (q *fairQueue) rival(path []string) *waiter {
	for ; q != nil && len(path) > 0; path = path[1:] {
		own, most := q.parts[path[0]], longest(&q.rotation)
		if own.length()+1 < most.length() {
			return most.newest()
		}
		q = own
	}
	return nil
}
