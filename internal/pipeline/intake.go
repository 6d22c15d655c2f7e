package pipeline

import (
	"container/list"
	"slices"
)

// The most that waits in the intake; beyond it the answer is ErrBusy (or ErrNoLeader).
const (
	maxIntakeCommands = 1 << 19
	maxIntakeBytes    = 128 << 20
)

// size is what is bounded of proposals, wherever they wait.
type size struct{ commands, bytes, work int }

func (s *size) add(o size) {
	s.commands, s.bytes, s.work = s.commands+o.commands, s.bytes+o.bytes, s.work+o.work
}
func (s *size) sub(o size) {
	s.commands, s.bytes, s.work = s.commands-o.commands, s.bytes-o.bytes, s.work-o.work
}

// intake holds the proposals that are in no batch yet. Each user has a queue, taken in order, and the users take
// turns. So a user with many or expensive proposals waits for its own, and the others for one of its proposals in
// each batch.
//
// Invariants: size is the sum over all lines; a line is in lines and in ring only while something is in it.
// Pipeline.mu guards all of it.
type intake struct {
	size
	lines map[uint64]*line
	ring  list.List // of *line, the next to be taken from in front
}

// line is one user's queue of proposals, oldest first.
type line struct {
	size
	user    uint64
	waiting []*Proposal
	inRing  *list.Element
}

// admits reports whether a proposal may wait here. A user may have no more than what would remain free after it:
// one user alone has half of the intake, two have a third each. So there is always space for a user that has
// nothing here yet.
func (in *intake) admits(p *Proposal) bool {
	own := p.size
	if l := in.lines[p.user]; l != nil {
		own.add(l.size)
	}
	return own.commands <= maxIntakeCommands-in.commands-p.size.commands &&
		own.bytes <= maxIntakeBytes-in.bytes-p.size.bytes
}

func (in *intake) empty() bool { return len(in.lines) == 0 }

func (in *intake) add(p *Proposal) {
	l := in.lines[p.user]
	if l == nil {
		if in.lines == nil {
			in.lines = map[uint64]*line{}
		}
		l = &line{user: p.user}
		l.inRing = in.ring.PushBack(l)
		in.lines[p.user] = l
	}
	l.waiting = append(l.waiting, p)
	l.size.add(p.size)
	in.size.add(p.size)
}

// took notes that p was taken out of l, and drops l if it is empty.
func (in *intake) took(l *line, p *Proposal) {
	l.size.sub(p.size)
	in.size.sub(p.size)
	if len(l.waiting) == 0 {
		in.ring.Remove(l.inRing)
		delete(in.lines, l.user)
	}
}

// remove takes a proposal out; false means that it is no longer there.
func (in *intake) remove(p *Proposal) bool {
	l := in.lines[p.user]
	if l == nil {
		return false
	}
	i := slices.Index(l.waiting, p)
	if i < 0 {
		return false
	}
	l.waiting = slices.Delete(l.waiting, i, i+1)
	in.took(l, p)
	return true
}

// take takes out what goes into the next batch: one proposal of each user in turn, as long as they fit. A user
// whose next proposal does not fit is first the next time.
func (in *intake) take() (taken []*Proposal, total size) {
	fits := func(p *Proposal) bool {
		return len(taken) == 0 || total.commands+p.size.commands <= maxBatchCommands &&
			total.bytes+p.size.bytes <= maxBatchBytes && (p.size.work == 0 || total.work+p.size.work <= maxBatchWork)
	}
	for e, skipped := in.ring.Front(), 0; e != nil && skipped < maxSkipped; {
		if total.commands >= maxBatchCommands || total.bytes >= maxBatchBytes {
			break
		}
		l, next := e.Value.(*line), e.Next()
		p := l.waiting[0]
		if !fits(p) {
			skipped++
			e = next
			continue
		}
		taken = append(taken, p)
		total.add(p.size)
		l.waiting[0] = nil
		l.waiting = l.waiting[1:]
		in.ring.MoveToBack(e)
		in.took(l, p)
		if next == nil && len(l.waiting) > 0 {
			next = e // it was last in the ring, so it is next again
		}
		e = next
	}
	return taken, total
}

// maxSkipped is how many users whose proposals do not fit are skipped in favor of others whose proposals do:
// looking at them costs far less than a commit.
const maxSkipped = 4096

// all takes everything out, in no particular order of users.
func (in *intake) all() (all []*Proposal) {
	for e := in.ring.Front(); e != nil; e = e.Next() {
		all = append(all, e.Value.(*line).waiting...)
	}
	*in = intake{}
	return all
}

// each calls fn with every proposal.
func (in *intake) each(fn func(*Proposal)) {
	for e := in.ring.Front(); e != nil; e = e.Next() {
		for _, p := range e.Value.(*line).waiting {
			fn(p)
		}
	}
}
