package redis

import (
	"fmt"
	"strings"
	"testing"

	"ciderd/internal/session"
)

func TestABurstOfTransactionsIsProposedTogether(t *testing.T) {
	w := start(t, session.Config{})
	p := w.user("alice")
	before := len(w.node.Groups())
	p.out = p.out[:0]
	p.serve("SET", "n", "0")
	var want strings.Builder
	want.WriteString("+OK\r\n")
	for i := range 50 {
		p.serve("MULTI")
		p.serve("INCR", "n")
		p.serve("GET", "n")
		p.serve("EXEC")
		p.serve("APPEND", "s", "x")
		fmt.Fprintf(&want, "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:%d\r\n$%d\r\n%d\r\n:%d\r\n", i+1, len(fmt.Sprint(i+1)), i+1, i+1)
	}
	p.serve("MULTI")
	p.serve("GET", "n")
	want.WriteString("+OK\r\n+QUEUED\r\n")
	if len(p.out) != 0 {
		t.Error("a transaction was waited for")
	}
	p.Session.Wait()
	if got := string(p.out); got != want.String() {
		t.Errorf("%q", got)
	}
	if got := w.node.Groups()[before:]; len(got) != 1 || got[0].Commands != 101 {
		t.Errorf("%v", got)
	}
	p.talk("> EXEC\n*1 $2 50")
	p.nothingTaken()
}

// What ends or refuses a transaction of a burst is answered in its turn too.
func TestABurstWithRefusalsIsAnsweredInOrder(t *testing.T) {
	w := start(t, session.Config{})
	p := w.user("alice")
	p.out = p.out[:0]
	for _, line := range strings.Split(strings.TrimSpace(`
		SET n 1
		MULTI
		MULTI
		INCR n
		EXEC
		EXEC
		SET n 5
		MULTI
		FOO
		INCR n
		EXEC
		INCR n
		MULTI
		INCR n
		DISCARD
		INCR n
		MULTI
		EXEC
		INCR n
		MULTI
		INCR n
		PING
		CLIENT SETNAME me
		EXEC
		INCR n
		CLIENT REPLY SKIP
		MULTI
		INCR n
		CLIENT GETNAME
		EXEC
		CLIENT REPLY SKIP
		INCR n
		INCR n
		HELLO 3
		MULTI
		GET none
		EXEC
	`), "\n") {
		p.serve(strings.Fields(line)...)
	}
	p.Session.Wait()
	got, _, _ := strings.Cut(strings.Join(strings.Fields(string(p.out)), " "), "%7")
	want := `+OK +OK -ERR MULTI calls can not be nested +QUEUED *1 :2 -ERR EXEC without MULTI +OK
		+OK -ERR unknown command 'FOO', with args beginning with: +QUEUED
		-EXECABORT Transaction discarded because of previous errors.
		:6 +OK +QUEUED +OK :7 +OK *0 :8 +OK +QUEUED +QUEUED +QUEUED *3 :9 +PONG +OK :10
		+QUEUED +QUEUED *2 :11 $2 me :13`
	if want = strings.Join(strings.Fields(want), " "); strings.TrimSpace(got) != want {
		t.Errorf("it is\n%s\nand should be\n%s", got, want)
	}
	if !strings.HasSuffix(string(p.out), "+OK\r\n+QUEUED\r\n*1\r\n_\r\n") {
		t.Errorf("%q", p.out)
	}
	p.nothingTaken()
}

// Answers that are due behind a write do not pile up without end.
func TestABurstOfWhatIsOnlyAnsweredIsBounded(t *testing.T) {
	p := start(t, session.Config{}).user("alice")
	p.do("MULTI")
	for range 10 { // each of them is allowed
		p.do("EXEC")
		p.out = p.out[:0]
		p.serve("SET", "k", "v")
		p.serve("MULTI")
		for range 10_000 {
			p.serve("PING")
		}
		if len(p.out) == 0 {
			t.Fatal("all of them wait")
		}
	}
}

// A transaction that a cluster cannot do yet is refused in its turn, and nothing of it is kept.
func TestATransactionOfABurstThatIsRefusedAtOnceIsAnsweredInOrder(t *testing.T) {
	w := start(t, session.Config{})
	p := w.user("alice")
	p.out = p.out[:0]
	p.serve("SET", "k", "v")
	p.serve("MULTI")
	p.serve("SET", "k", strings.Repeat("v", 100<<10))
	w.node.SetReads(1)
	p.serve("EXEC")
	p.serve("SET", "k", "w")
	p.Session.Wait()
	if got := string(p.out); !strings.HasPrefix(got, "+OK\r\n+OK\r\n+QUEUED\r\n-ERR the cluster is being upgraded") || !strings.HasSuffix(got, "+OK\r\n") {
		t.Errorf("%q", got)
	}
	p.nothingTaken()
}
