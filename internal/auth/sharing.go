package auth

import (
	"context"
	"sync"
)

// sharing brings together the logins that are equal (one tag: user, stored hash and password) and wait
// at the same time, so that a pool of connections that comes back costs one compare and not a
// thousand.
//
// Of those that come from one address, one leads: it serves the delay and stands in the queue. The
// others follow: they wait beside it, without a place of their own. One of each address leads, so that
// nobody's wait depends on what others did from theirs.
//
//   - When a leader proves right, everybody with that tag is released, wherever it waits.
//   - When it leaves without a result (its client hung up, no place), the next of its address leads.
//   - When it proves wrong, its followers part and go on alone: each does the compare that it is to
//     cost, and is counted.
//
// What the time tells: nothing of a password that is right, as everybody with the same one is answered
// success. A login that follows a wrong one waits for that compare before its own. So a client that shares an address
// with others can tell that one of them tries, in the same fraction of a second, the very password
// for the very user that it guesses, and that it is wrong. That is worth less than what a guess costs.
//
// It takes no goroutine, and no memory but for callers that wait.
type sharing struct {
	mu     sync.Mutex // protects crowds and what is in them
	crowds map[loginTag]*crowd
}

// crowd is the logins with one tag.
type crowd struct {
	tag     loginTag
	logins  int
	right   chan struct{} // closed when the password has proved right
	proved  bool          // right is closed
	parties map[string]*party
}

// party is the logins of a crowd that come from one address.
type party struct {
	logins int
	lead   chan struct{} // holds one while nobody leads
	wrong  chan struct{} // closed when a leader has proved wrong; then it is in its crowd no more
}

// share is one login's part in it. It belongs to the goroutine of that login.
type share struct {
	*crowd
	party *party
	addr  string
	leads bool
}

func newSharing() *sharing { return &sharing{crowds: map[loginTag]*crowd{}} }

// join adds a login, which must leave again.
func (s *sharing) join(tag loginTag, addr string) *share {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.crowds[tag]
	if c == nil {
		c = &crowd{tag: tag, right: make(chan struct{}), parties: map[string]*party{}}
		s.crowds[tag] = c
	}
	p := c.parties[addr]
	if p == nil {
		p = &party{lead: make(chan struct{}, 1), wrong: make(chan struct{})}
		p.lead <- struct{}{}
		c.parties[addr] = p
	}
	c.logins++
	p.logins++
	return &share{crowd: c, party: p, addr: addr}
}

// leave ends a login's part, also one that has panicked: if it leads, another may.
func (s *sharing) leave(sh *share) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sh.leads {
		sh.party.lead <- struct{}{}
	}
	if sh.party.logins--; sh.party.logins == 0 {
		sh.forget(sh.party)
	}
	if sh.logins--; sh.logins == 0 {
		delete(s.crowds, sh.tag)
	}
}

// forget takes p out of its crowd, unless another has its place already.
func (sh *share) forget(p *party) {
	if sh.parties[sh.addr] == p {
		delete(sh.parties, sh.addr)
	}
}

// release lets every login in that waits with tag.
func (s *sharing) release(tag loginTag) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.crowds[tag]; c != nil && !c.proved {
		c.proved = true
		close(c.right)
	}
}

// part has the followers of a leader that has proved wrong go on alone. The next to come leads anew.
func (s *sharing) part(sh *share) {
	if !sh.leads {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sh.leads = false
	sh.forget(sh.party)
	close(sh.party.wrong)
}

// follow waits until this login may try: as its party's leader, or alone. It fails with
// errRight or with the cause of ctx's end.
func (sh *share) follow(ctx context.Context) error {
	select { // a login that need not wait is not to ask for ctx's Done: that may cost something
	case <-sh.party.lead:
		sh.leads = true
		return nil
	default:
	}
	select {
	case <-sh.party.lead:
		sh.leads = true
		return nil
	case <-sh.party.wrong:
		return nil
	case <-sh.right:
		return errRight
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
