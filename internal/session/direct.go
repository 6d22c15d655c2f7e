package session

import (
	"context"
	"errors"
	"time"

	"ciderd/internal/cache"
	"ciderd/internal/fsm"
	"ciderd/internal/protocol"
)

// Direct is a session for a protocol that has commands of its own, beside the verbs that Do serves. What it answers it
// writes itself, once Settle has said that it may. All is for the session's goroutine.
type Direct struct{ s *Session }

// Answer writes the reply to a write, and reports whether it has: if not, the session does, by the result's kind. It is
// called once for each write, in their order; of a write that has no result the kind is fsm.KindNone, and it must report
// false. It is one function for all writes of a kind: so a write costs no memory for its answer.
type Answer func(to protocol.Reply, r fsm.Result) bool

// Direct returns s for a protocol with commands of its own.
func (s *Session) Direct() Direct { return Direct{s} }

// Write adds a write of the user who is logged in to the group. It is answered when the group is; nil: by its result's
// kind, as a verb's write. What not every server of the cluster reads is refused.
func (d Direct) Write(c *fsm.Command, answer Answer) {
	s := d.s
	if since := c.Since(); since > 1 && !s.all.node.Reads(since) {
		s.flush()
		if !s.Over() {
			d.Result(fsm.Result{Kind: fsm.KindUnread}, nil)
		}
		return
	}
	c.User = s.writes.user
	s.writes.command = *c
	s.writes.enter(answer)
}

// Say answers what is no write, once all writes so far are answered, and waits for none of them. There is no result: the
// kind is fsm.KindNone.
func (d Direct) Say(answer Answer) {
	switch s := d.s; {
	case s.Pending():
		s.writes.said(answer)
	case !s.Over():
		answer(s.answers.Reply, fsm.Result{})
	}
}

// Result answers one result of a write.
func (d Direct) Result(r fsm.Result, answer Answer) {
	if answer == nil || !answer(d.s.answers.Reply, r) {
		d.s.answers.result(r)
	}
}

// Settle returns when all writes so far are answered. It reports whether something may be answered: not once the session
// is over; nor when nobody will see it, unless the command acts, which is to do more than answer.
func (d Direct) Settle(acts bool) bool {
	d.s.flush()
	return !d.s.Over() && (acts || !d.s.answers.gone)
}

// Ready reports whether this node has caught up. If not, it has answered that.
func (d Direct) Ready() bool {
	if d.s.all.node.Ready() {
		return true
	}
	d.s.Refuse(protocol.Loading, loading)
	return false
}

// Keyspace returns the user's cache; nil: the account is gone, the session is over, and nothing is to be answered.
func (d Direct) Keyspace() *cache.Keyspace { return d.s.reads.keyspace() }

// Now returns the time for reads, in Unix milliseconds.
func (d Direct) Now() int64 { return d.s.reads.time() }

// Count counts a read whose item did not come from Get or MGet, and whether it was there.
func (d Direct) Count(there bool) {
	if there {
		d.s.reads.hits++
	} else {
		d.s.reads.misses++
	}
}

// Get returns an item and counts that. alive is false as Keyspace is nil.
func (d Direct) Get(key []byte) (it cache.Item, there, alive bool) {
	r := &d.s.reads
	ks := r.keyspace()
	if ks == nil {
		return it, false, false
	}
	it, there = ks.Get(key, r.time())
	d.Count(there)
	return it, there, true
}

// Pin notes that so many bytes of a reply are in memory until they have been sent (see Held), those of a stored value, or
// copied ones; 0: they have been.
func (d Direct) Pin(bytes int, copied bool) {
	switch r := &d.s.reads; {
	case bytes == 0:
		r.unpin()
	case copied:
		r.pinned = pinned{bytes: int64(bytes)}
	default:
		r.pin(bytes)
	}
}

// MGet calls each with the item of each key, in one cut, and counts them. It reports false if the account is gone.
func (d Direct) MGet(keys [][]byte, each func(it cache.Item, there bool)) bool {
	r := &d.s.reads
	ks := r.keyspace()
	if ks == nil {
		return false
	}
	r.mgetOf(ks, keys, each)
	return true
}

// LogIn makes the session another user's, who proves to be one. If it fails that is answered, and the session stays
// whose it was; nothing is answered if it does not.
func (d Direct) LogIn(name, password []byte) bool {
	s := d.s
	user, ok := s.verify(&protocol.Request{User: name, Password: password})
	if !ok || s.Over() {
		return false
	}
	if s.User() != 0 {
		s.leave()
		s.startLogin()
	}
	return s.begin(user)
}

// Who returns the name of the user who is logged in.
func (d Direct) Who() string { return d.s.login.name }

// Keys finds the keys that match, of a view as of a time, or with no view of the user's cache now. It calls begin with
// their number and then key with each; neither may be kept. ErrManyKeys: there are too many for one reply, and nothing
// was called; what else went wrong has been answered.
func (d Direct) Keys(match Matcher, v *cache.View, now int64, begin func(n int), key func([]byte)) error {
	s := d.s
	s.answers.Flush() // what is answered already does not wait for the scan
	if s.answers.gone {
		return nil
	}
	sc := scan{all: s.all, client: s.client, user: s.login.user, reads: &s.reads, match: match}
	found, err := sc.findAll(v, now)
	switch {
	case errors.Is(err, ErrManyKeys):
		return err
	case err != nil:
		s.failScan(err)
		return nil
	case s.Over():
		return nil
	}
	defer s.client.Give(found.charged)
	s.reads.pinned = pinned{bytes: found.size()}
	defer s.reads.unpin()
	begin(len(found.lengths))
	for at, rest := 0, found.text; at < len(found.lengths) && !s.answers.gone; at++ {
		n := int(found.lengths[at])
		key(rest[:n])
		s.reads.pinned.sent(n)
		rest = rest[n:]
	}
	return nil
}

// findAll finds all keys that match, in no order. Its errors are those of find, and ErrManyKeys.
func (sc *scan) findAll(v *cache.View, now int64) (f found, err error) {
	leave, err := sc.begin()
	if err != nil {
		return f, err
	}
	defer leave()
	if v == nil {
		ks := sc.reads.keyspace()
		if ks == nil {
			return f, nil
		}
		v, now = ks.Freeze(), sc.reads.time()
	}
	v.Range(func(key, _ []byte, _ uint64, deadline int64) bool {
		if !sc.looked() || deadline != 0 && deadline <= now || !sc.matches(key) {
			return sc.err == nil
		}
		f.text, f.lengths = append(f.text, key...), append(f.lengths, uint16(len(key)))
		return sc.charge(&f)
	})
	if sc.err != nil {
		sc.client.Give(f.charged)
		return found{}, sc.err
	}
	return f, nil
}

// charge takes what has been found from the client's share of memory, and gives the scan up if that is too much.
func (sc *scan) charge(f *found) bool {
	if extra := f.size() - scanFree; extra > f.charged {
		more := max(extra-f.charged, scanFree)
		f.charged += more
		if !sc.client.Take(more) || extra > int64(sc.all.bounds.ScanBytes) {
			sc.err = ErrManyKeys
		}
	}
	return sc.err == nil
}

// Figures is what the user's cache holds, and what has been asked of it on this node since that started.
type Figures struct {
	Keys      int   // that are visible
	Deadlines int   // items with one
	Memory    int64 // bytes, as the limits count it
	Limit     int64 // bytes, of all users together; 0: none
	Quota     int64 // bytes, of the user; 0: none
	Evicted   uint64
	Sessions  int // of the user on this node

	Hits, Misses, Writes uint64
}

// MostMemory is the most that Memory may be, in bytes; 0: there is no limit.
func (f Figures) MostMemory() int64 {
	if f.Quota != 0 && (f.Limit == 0 || f.Quota < f.Limit) {
		return f.Quota
	}
	return f.Limit
}

// Figures returns the figures now; none if the account is gone.
func (d Direct) Figures() (f Figures) {
	s := d.s
	ks := s.reads.reader.Keyspace()
	if ks == nil {
		return f
	}
	s.publish()
	c := &s.login.user.counts
	f = Figures{
		Keys: ks.Count(s.reads.time()), Deadlines: ks.Deadlines(), Sessions: s.all.users.sessions(s.login.user),
		Hits: c.hits.Load(), Misses: c.misses.Load(), Writes: c.writes.Load(),
	}
	limits, _ := s.all.node.FSM().Shares().Limits()
	f.Limit = limits.MaxMemory
	if u, ok := s.reads.reader.Usage(); ok {
		f.Memory, f.Quota, f.Evicted = u.Memory, u.Quota, u.Evicted
	}
	return f
}

// Scan answers a page of an iteration over the user's keys; see ScanRequest. It calls answer with the page, or answers
// with an error itself.
func (d Direct) Scan(req *ScanRequest, answer func(Scanned)) { d.s.scanPage(req, answer) }

// ResultTo is Result for an answer that goes elsewhere.
func (d Direct) ResultTo(to protocol.Reply, r fsm.Result, answer Answer) {
	if answer == nil || !answer(to, r) {
		a := answers{Reply: to, all: d.s.all}
		a.result(r)
	}
}

// Propose puts one command of the user's into the log, after all writes so far, and waits for its result.
func (d Direct) Propose(c fsm.Command) (fsm.Result, error) {
	s := d.s
	if since := c.Since(); since > 1 && !s.all.node.Reads(since) {
		return fsm.Result{Kind: fsm.KindUnread}, nil
	}
	s.writes.added++
	results, err := s.all.node.Propose(fsm.NewGroup(c), s.all.config.Load().WriteTimeout).Wait()
	s.reads.timePasses()
	if err != nil || len(results) == 0 {
		return fsm.Result{}, err
	}
	return results[0], nil
}

// Unwritten answers a write that has no result.
func (d Direct) Unwritten(err error) { d.s.answers.unwritten(err) }

// ErrScriptsWait is returned where a script has found no place to run in.
var ErrScriptsWait = errors.New("too many scripts are waiting here")

// Turn calls run once there is a place for it: each user has one, and all users together have as many as there are
// cores. A script that takes a second holds up others of its user for no longer than that, and hardly those of users whose
// scripts are small: see turns. It returns run's error, ErrScriptsWait, or the context's as this node stops.
func (d Direct) Turn(run func() error) error {
	all, user := d.s.all, d.s.login.user
	ctx, cancel := context.WithTimeout(all.waits, all.config.Load().WriteTimeout)
	defer cancel()
	if err := user.scripts.take(ctx); err != nil {
		return scriptsWait(err)
	}
	defer user.scripts.leave()
	if err := all.scripts.take(ctx, &user.scripted); err != nil {
		return scriptsWait(err)
	}
	defer all.scripts.leave(&user.scripted, time.Now())
	return run()
}

func scriptsWait(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return ErrScriptsWait
	}
	return err
}
