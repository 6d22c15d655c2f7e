package auth

import "container/list"

type queueKey struct {
	addr string
	lane int
}

// queue is the waiters of one address in one lane, in a line for each user. The gate's lock is held
// for all that is done to it.
type queue struct {
	key     queueKey
	waiting int // in all lines
	lines   map[string]*line
	turns   list.List     // of *line, the next to be served in front
	inLane  *list.Element // of this queue in its lane
}

// line is the waiters of a queue that ask for the same user.
type line struct {
	queue   *queue
	user    string
	waiters list.List     // of *waiter, the oldest in front
	inTurns *list.Element // of this line in its queue
}

type waiter struct {
	line   *line         // nil once the waiter is out of it
	inLine *list.Element // of this waiter in its line
	called chan error    // holds one: nil with a turn, ErrBusy when pushed out
}

// claim orders queues by length, the late one first among equals.
func (q *queue) claim() int { return 2*q.waiting + q.key.lane }

// length is how many wait for user.
func (q *queue) length(user string) int {
	if l := q.lines[user]; l != nil {
		return l.waiters.Len()
	}
	return 0
}

// longest is the line with most waiters, among equals the one whose turn is last.
func (q *queue) longest() (longest *line) {
	for e := q.turns.Back(); e != nil; e = e.Prev() {
		if l := e.Value.(*line); longest == nil || l.waiters.Len() > longest.waiters.Len() {
			longest = l
		}
	}
	return longest
}

// add makes a waiter for user.
func (q *queue) add(user string) *waiter {
	l := q.lines[user]
	if l == nil {
		l = &line{queue: q, user: user}
		l.inTurns = q.turns.PushBack(l)
		q.lines[user] = l
	}
	w := &waiter{line: l, called: make(chan error, 1)}
	w.inLine = l.waiters.PushBack(w)
	q.waiting++
	return w
}

// next is the waiter whose turn it is; its line goes to the end.
func (q *queue) next() *waiter {
	front := q.turns.Front()
	q.turns.MoveToBack(front)
	return front.Value.(*line).waiters.Front().Value.(*waiter)
}

func (q *queue) remove(w *waiter) {
	l := w.line
	w.line = nil
	l.waiters.Remove(w.inLine)
	q.waiting--
	if l.waiters.Len() == 0 {
		q.turns.Remove(l.inTurns)
		delete(q.lines, l.user)
	}
}
