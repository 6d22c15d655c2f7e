package redis

import (
	"fmt"
	"strings"
	"testing"

	"ciderd/internal/fsm"
	"ciderd/internal/protocol/resp"
	"ciderd/internal/session"
)

func TestATransactionIsOneEntry(t *testing.T) {
	w := start(t, session.Config{})
	p := w.user("alice")
	before := len(w.node.Groups())
	p.talk(`
		> MULTI
		+OK
		> SET a 1
		+QUEUED
		> INCR a
		+QUEUED
		> MGET a none
		+QUEUED
		> DBSIZE
		+QUEUED
		> SET b 1
		+QUEUED
		> DBSIZE
		+QUEUED
		> KEYS *
		+QUEUED
		> RANDOMKEY
		+QUEUED
		> PING
		+QUEUED
		> CLIENT ID
		+QUEUED
		> CIDERD.GETV none
		+QUEUED
		> FLUSHALL
		+QUEUED
		> EXISTS a
		+QUEUED
		> EXEC
		~ *13 +OK :2 *2 $1 2 $-1 :1 +OK :2 *2 $1
	`)
	if got := w.node.Groups()[before:]; len(got) != 1 || got[0].Commands != 1 {
		t.Errorf("it became %v", got)
	}
}

func TestAWatchedKeyThatChangesFailsTheTransaction(t *testing.T) {
	w := start(t, session.Config{})
	p, q := w.user("alice"), w.user("alice")
	p.talk("> SET k 1\n+OK\n> WATCH k none\n+OK")
	q.talk("> SET k 2\n+OK")
	p.talk("> MULTI\n+OK\n> SET k 3\n+QUEUED\n> EXEC\n*-1\n> GET k\n$1 2\n> MULTI\n+OK\n> SET k 3\n+QUEUED\n> EXEC\n*1 +OK")
	p.talk("> HELLO 3\n~ %7\n> WATCH none\n+OK")
	q.talk("> SET none 1\n+OK")
	p.talk("> MULTI\n+OK\n> SET k 4\n+QUEUED\n> EXEC\n_\n> GET k\n$1 3")
}

// What one user watches does not fail the transaction of another, that the connection becomes.
func TestWatchEndsWithTheUser(t *testing.T) {
	w := start(t, session.Config{})
	p, q := w.user("alice"), w.user("alice")
	w.user("bob")
	p.talk("> SET k 1\n+OK\n> WATCH k\n+OK\n> AUTH bob secret\n+OK")
	q.talk("> SET k 2\n+OK")
	p.talk("> MULTI\n+OK\n> SET k 3\n+QUEUED\n> EXEC\n*1 +OK")
}

func TestTransactionsAreBounded(t *testing.T) {
	w := start(t, session.Config{MaxValue: 1 << 20})
	p := w.user("alice")
	p.do("MULTI")
	for range fsm.MaxInExec {
		if got := p.do("INCR", "n"); got != "+QUEUED\r\n" {
			t.Fatalf("%q", got)
		}
	}
	p.talk("> INCR n\n-" + string(resp.ErrTooLarge) + "\n> EXEC\n-EXECABORT Transaction discarded because of previous errors.")

	p.do("MULTI")
	for i := range 4 {
		if got := p.do("SET", fmt.Sprint(i), strings.Repeat("v", 1<<20-1024)); got != "+QUEUED\r\n" {
			t.Fatalf("%q", got)
		}
	}
	if p.most < 3<<20 {
		t.Errorf("only %d bytes were charged", p.most)
	}
	p.do("SET", "last", strings.Repeat("v", 8<<10))
	p.talk("> EXEC\n-EXECABORT Transaction discarded because of previous errors.\n> DBSIZE\n:0")

	p.do("MULTI")
	for i := range fsm.MaxViews {
		p.talk("> DBSIZE\n+QUEUED\n> KEYS *\n+QUEUED\n> SET k" + fmt.Sprint(i) + " v\n+QUEUED")
	}
	p.talk("> DBSIZE\n-" + string(errViews) + "\n> EXEC\n-EXECABORT Transaction discarded because of previous errors.")

	p.do("MULTI")
	p.full = true
	if got := p.do("SET", "k", strings.Repeat("v", 100<<10)); got != "-"+string(errBusy)+"\r\n" {
		t.Errorf("%q", got)
	}
	p.full = false
	p.talk("> EXEC\n-EXECABORT Transaction discarded because of previous errors.")
	p.nothingTaken()
}

// The reads of an MGET count too.
func TestATransactionOfManyReadsIsBounded(t *testing.T) {
	p := start(t, session.Config{}).user("alice")
	p.do("MULTI")
	mget := append([]string{"MGET"}, numbered("k", fsm.MaxInExec/2)...)
	for range 2 {
		if got := p.do(mget...); got != "+QUEUED\r\n" {
			t.Fatalf("%q", got)
		}
	}
	if got := p.do("GET", "k"); got != "-"+string(resp.ErrTooLarge)+"\r\n" {
		t.Errorf("%q", got)
	}
}

// What is charged to a client goes with it when it becomes another user's.
func TestALoginInATransactionKeepsWhatIsCharged(t *testing.T) {
	w := start(t, session.Config{})
	w.user("bob")
	p := w.user("alice")
	p.do("MULTI")
	p.do("SET", "k", strings.Repeat("v", 200<<10))
	p.talk("> AUTH bob secret\n+QUEUED\n> ACL WHOAMI\n+QUEUED\n> EXEC\n*3 +OK +OK $3 bob\n> DBSIZE\n:0")
	p.nothingTaken()
}

func TestABurstOfWritesIsProposedTogether(t *testing.T) {
	w := start(t, session.Config{})
	p := w.user("alice")
	before := len(w.node.Groups())
	p.out = p.out[:0]
	for i := range 100 {
		p.serve("EXPIRE", fmt.Sprint(i), "100")
		p.serve("SET", fmt.Sprint(i), "v")
		p.serve("GETSET", fmt.Sprint(i), "w")
	}
	if len(p.out) != 0 {
		t.Error("a write was waited for")
	}
	p.Session.Wait()
	if got := string(p.out); got != strings.Repeat(":0\r\n+OK\r\n$1\r\nv\r\n", 100) {
		t.Errorf("%.100q", got)
	}
	if got := w.node.Groups()[before:]; len(got) != 1 {
		t.Errorf("%v", got)
	}
}

// Writes that make every node copy a large value are not proposed together without end.
func TestABurstIsBoundedByItsWork(t *testing.T) {
	for _, command := range []string{"EXPIRE k %d NX", "GETEX k EX %d", "SETRANGE k %d x", "COPY k l%d", "PEXPIRE k %d"} {
		w := start(t, session.Config{})
		p := w.user("alice")
		p.do("SET", "k", strings.Repeat("v", 100<<10))
		before := len(w.node.Groups())
		for i := range 30 {
			p.serve(strings.Fields(fmt.Sprintf(command, 1000+i))...)
		}
		p.Session.Wait()
		if got := w.node.Groups()[before:]; len(got) < 30*100/256-1 {
			t.Errorf("%s: %v", command, got)
		}
	}
}

// A transaction counts with all that its commands copy.
func TestTransactionsAreBoundedByTheirWork(t *testing.T) {
	w := start(t, session.Config{})
	p := w.user("alice")
	p.do("SET", "k", strings.Repeat("v", 300<<10))
	before := len(w.node.Groups())
	for range 3 {
		p.talk("> MULTI\n+OK\n> EXPIRE k 100\n+QUEUED")
		p.out = p.out[:0]
		p.serve("EXEC")
		p.serve("SET", "other", "v")
		p.Session.Wait()
	}
	if got := w.node.Groups()[before:]; len(got) != 6 {
		t.Errorf("%v", got)
	}
}

// An idle session keeps nothing of what it was last asked: that would be a buffer of its connection's.
func TestAnIdleSessionIsSmall(t *testing.T) {
	p := start(t, session.Config{}).user("alice")
	p.do(append([]string{"MGET"}, numbered("k", 10)...)...)
	p.do("GETSET", "k", "v")
	p.Idle()
	for _, key := range p.keys[:cap(p.keys)] {
		if key != nil {
			t.Fatal("it keeps a key")
		}
	}
	if p.command.Key != nil || p.command.Value != nil {
		t.Error("it keeps a write")
	}
	p.do(append([]string{"EXISTS"}, numbered("k", 1000)...)...)
	p.Idle()
	if cap(p.keys) > keysKept {
		t.Errorf("it keeps memory for %d keys", cap(p.keys))
	}
}

// Reads count as hits and misses, wherever they are done.
func TestReadsAreCounted(t *testing.T) {
	w := start(t, session.Config{})
	p := w.user("alice")
	p.talk(`
		> SET k v
		+OK
		> GET k
		$1 v
		> MGET k none
		*2 $1 v $-1
		> STRLEN none
		:0
		> MULTI
		+OK
		> GET k
		+QUEUED
		> MGET k none k
		+QUEUED
		> EXEC
		*2 $1 v *3 $1 v $-1 $1 v
	`)
	p.Session.Rest()
	if s := w.all.Stats(); s.Hits != 5 || s.Misses != 3 || s.Writes != 2 {
		t.Errorf("%d hits, %d misses, %d writes", s.Hits, s.Misses, s.Writes)
	}
}
