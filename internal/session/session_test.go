package session

import (
	"fmt"
	"testing"

	"ciderd/internal/protocol"
)

func b(s string) []byte { return []byte(s) }

// Every verb of the table that a request can have is served: reads are run, writes are encoded. HELP is each
// protocol's own, and ONCE comes with the write that it wraps.
func TestEveryVerbIsServed(t *testing.T) {
	for _, row := range protocol.Commands() {
		c := commands[row.Verb]
		if c.run != nil && c.encode != nil {
			t.Errorf("%s is served twice", row.Name)
		}
		served := c.run != nil
		if row.Access == protocol.Writes {
			served = c.encode != nil
		}
		switch {
		case row.As != protocol.VerbNone || row.Verb == protocol.VerbHelp || row.Verb == protocol.VerbOnce:
			if served {
				t.Errorf("%s is served, and no request has that verb", row.Name)
			}
		case !served:
			t.Errorf("%s is not served as what the table says: add it to commands", row.Name)
		case c.anonymous != row.BeforeLogin:
			t.Errorf("%s: before login: %v", row.Name, c.anonymous)
		case row.Access != protocol.Neither && c.always:
			t.Errorf("%s touches the cache, and is served while the node is loading", row.Name)
		}
	}
}

// What is answered, whatever it is then written as.
func TestReplies(t *testing.T) {
	p := start(t, Config{}, Bounds{}).user("u")
	do := p.do
	do(protocol.Request{Verb: protocol.VerbSet, Key: b("k"), Value: b("v")}, "flush", word(protocol.OK))
	do(protocol.Request{Verb: protocol.VerbSet, Key: b("k"), Value: b("w"), NX: true}, "flush", word(protocol.Exists))
	do(protocol.Request{Verb: protocol.VerbGet, Key: b("k")}, "value v")
	do(protocol.Request{Verb: protocol.VerbGet, Key: b("none")}, word(protocol.NotFound))
	do(protocol.Request{Verb: protocol.VerbHas, Key: b("k")}, word(protocol.True))
	do(protocol.Request{Verb: protocol.VerbTTL, Key: b("k")}, word(protocol.NoTTL))
	do(protocol.Request{Verb: protocol.VerbGetV, Key: b("k")}, "item 1700000000000001 0 v")
	do(protocol.Request{Verb: protocol.VerbCAS, Key: b("k"), Version: 7, Value: b("w")}, "flush", "conflict 1700000000000001")
	do(protocol.Request{Verb: protocol.VerbIncr, Key: b("n"), N: 5}, "flush", "int 5")
	do(protocol.Request{Verb: protocol.VerbMGet, Words: [][]byte{b("k"), b("none")}}, "begin 2", "value v", word(protocol.NotFound), "end")
	do(protocol.Request{Verb: protocol.VerbKeys, Limit: 1}, "flush", "begin 1", "key k", "more k")
	do(protocol.Request{Verb: protocol.VerbKeys, Limit: 9}, "flush", "begin 2", "key k", "key n", "end")
	do(protocol.Request{Verb: protocol.VerbCount}, "int 2")
	do(protocol.Request{Verb: protocol.VerbWhoami}, "text u cider-1 leader")
	do(protocol.Request{Verb: protocol.VerbLogout}, word(protocol.LoggedOut))
	do(protocol.Request{Verb: protocol.VerbGet, Key: b("k")}, "error AUTH_REQUIRED")
	do(protocol.Request{Verb: protocol.VerbQuit}, word(protocol.Bye))
	if !p.Over() {
		t.Error("it is not over")
	}
}

// word is how the recorder says it.
func word(w protocol.Word) string { return fmt.Sprint(w) }

// Writes are answered when somebody waits for them, or before what is not a write.
func TestWritesArePending(t *testing.T) {
	p := start(t, Config{}, Bounds{}).user("u")
	p.said = nil
	for range 3 {
		p.Do(&protocol.Request{Verb: protocol.VerbIncr, Key: b("n"), N: 1})
	}
	if !p.Pending() || len(p.said) != 0 {
		t.Errorf("answered at once: %q", p.said)
	}
	p.Do(&protocol.Request{Verb: protocol.VerbGet, Key: b("n")})
	if p.Pending() || len(p.said) != 4 || p.said[3] != "value 3" {
		t.Errorf("answered %q", p.said)
	}
	p.Rest()
	if p.writes.group != nil || p.writes.command.Key != nil {
		t.Error("a resting session keeps what it has written")
	}
}

// Once nobody will see the answers, writes are done and reads are not.
func TestGone(t *testing.T) {
	w := start(t, Config{}, Bounds{})
	p := w.user("u")
	p.Sent(true, false)
	p.do(protocol.Request{Verb: protocol.VerbIncr, Key: b("n"), N: 1}, "flush", "int 1")
	p.do(protocol.Request{Verb: protocol.VerbGet, Key: b("n")})
	p.do(protocol.Request{Verb: protocol.VerbMGet, Words: [][]byte{b("n")}})
	p.do(protocol.Request{Verb: protocol.VerbQuit}, word(protocol.Bye))
}

// A client that is disconnected for not reading gets nothing more done, not even what the answers before it led up to.
func TestDisconnectedBeforeACommand(t *testing.T) {
	w := start(t, Config{}, Bounds{})
	p := w.user("u")
	p.Do(&protocol.Request{Verb: protocol.VerbIncr, Key: b("n"), N: 1})
	p.onReply = func() { p.Sent(true, true) }
	p.do(protocol.Request{Verb: protocol.VerbUnregister, Password: b("x")}, "int 1")
	if !p.Over() {
		t.Error("it goes on")
	}
	if _, known := w.node.FSM().Lookup(b("u")); !known {
		t.Error("the account is gone")
	}
}

func TestStats(t *testing.T) {
	w := start(t, Config{}, Bounds{})
	a, other := w.user("a"), w.user("b")
	w.open()
	for _, key := range []string{"k", "none"} {
		a.Do(&protocol.Request{Verb: protocol.VerbSet, Key: b("k"), Value: b("v")})
		a.Do(&protocol.Request{Verb: protocol.VerbGet, Key: b(key)})
	}
	a.Rest()
	if got, want := w.sessions.Stats(), (Stats{Open: 3, LoggedIn: 2, Users: 2, Hits: 1, Misses: 1, Writes: 2}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	// What a user was served counts also when the user is gone.
	a.do(protocol.Request{Verb: protocol.VerbUnregister, Password: b("x")}, word(protocol.OK))
	a.Close()
	a.Close()
	other.Close()
	if got, want := w.sessions.Stats(), (Stats{Open: 1, Users: 1, Hits: 1, Misses: 1, Writes: 2}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// A session is told to end when somebody else changes the password, and not by its own change.
func TestPasswordChange(t *testing.T) {
	w := start(t, Config{}, Bounds{})
	own, other := w.user("u"), w.user("u")
	own.do(protocol.Request{Verb: protocol.VerbPasswd, Password: b("x"), NewPassword: b("y")}, word(protocol.OK))
	if own.Ended() || !other.Ended() {
		t.Errorf("ended: its own %v, the other %v", own.Ended(), other.Ended())
	}
}

// The node has the largest value that an APPEND may make.
func TestAppendHasTheLimit(t *testing.T) {
	p := start(t, Config{MaxValue: 3}, Bounds{}).user("u")
	p.do(protocol.Request{Verb: protocol.VerbAppend, Key: b("k"), Value: b("abc")}, "flush", "int 3")
	p.do(protocol.Request{Verb: protocol.VerbAppend, Key: b("k"), Value: b("d")}, "flush", "error VALUE_TOO_LARGE")
}

// What users have asked is told of those who have a session, by number.
func TestLoads(t *testing.T) {
	w := start(t, Config{}, Bounds{})
	alice, bob := w.user("alice"), w.user("bob")
	alice.do(protocol.Request{Verb: protocol.VerbSet, Key: b("k"), Value: b("v")}, "flush", word(protocol.OK))
	alice.do(protocol.Request{Verb: protocol.VerbGet, Key: b("k")}, "value v")
	alice.do(protocol.Request{Verb: protocol.VerbGet, Key: b("none")}, word(protocol.NotFound))
	alice.publish()
	id := alice.User()
	bob.do(protocol.Request{Verb: protocol.VerbLogout}, word(protocol.LoggedOut))
	if loads := w.sessions.Loads(); len(loads) != 1 || loads[0] != (UserLoad{ID: id, Sessions: 1, Reads: 2, Writes: 1}) {
		t.Errorf("%+v", loads)
	}
}
