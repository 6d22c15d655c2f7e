//go:build e2e

package e2e

import (
	"bufio"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestRedisDifferential sends the same to redis-server 7.0 and to a node, and compares the replies byte for byte.
func TestRedisDifferential(t *testing.T) {
	w := &twins{t: t, socket: startRedis(t), address: startCiderd(t, 1)}
	for _, version := range []string{"2", "3"} {
		t.Run("RESP"+version, func(t *testing.T) {
			t.Run("before login", func(t *testing.T) { beforeLogin(t, w, version) })
			for _, c := range slices.Concat(redisCases, redisScriptCases) {
				t.Run(c.name, func(t *testing.T) { playCase(t, w, version, c) })
			}
			t.Run("random", func(t *testing.T) { playRandom(t, w, version, seeds(), randomCommands) })
		})
	}
}

// TestRedisDifferentialOnAFollower is about a node that has to send each write to another one.
func TestRedisDifferentialOnAFollower(t *testing.T) {
	w := &twins{t: t, socket: startRedis(t), address: startCiderd(t, 3)}
	for _, c := range slices.Concat(redisCases, redisScriptCases) {
		t.Run(c.name, func(t *testing.T) { playCase(t, w, "3", c) })
	}
	t.Run("random", func(t *testing.T) { playRandom(t, w, "2", []int64{1001, 1002}, randomCommands/4) })
}

// redisCase is a story, of a request each line. The words of a request are parted by blanks, and may be quoted as in Go.
// "1: " or "2: " before it says which of two connections sends it.
type redisCase struct{ name, script string }

// playCase plays a case on both.
func playCase(t *testing.T, w *twins, version string, c redisCase) {
	var conns [2]*twins
	for i := range conns {
		conns[i] = w.on(t)
		conns[i].logIn(version)
	}
	conns[0].must("FLUSHALL")
	for line := range strings.Lines(c.script) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		on := conns[0]
		if rest, second := strings.CutPrefix(line, "2: "); second {
			on, line = conns[1], rest
		}
		args := words(t, strings.TrimPrefix(line, "1: "))
		theirs, ours := on.do(args...)
		if !on.alike(args, theirs, ours) {
			t.Errorf("%s\n  Redis: %.300q\n  we:    %.300q", line, theirs, ours)
		}
	}
}

// on is new connections for a part of the test.
func (w *twins) on(t *testing.T) *twins {
	t.Helper()
	n := &twins{t: t, socket: w.socket, address: w.address}
	return n.again()
}

// words splits a line of a script.
func words(t *testing.T, line string) (args []string) {
	t.Helper()
	for line = strings.TrimLeft(line, " \t"); line != ""; line = strings.TrimLeft(line, " \t") {
		if quoted, err := strconv.QuotedPrefix(line); err == nil && line[0] == '"' {
			word, err := strconv.Unquote(quoted)
			if err != nil {
				t.Fatal(err)
			}
			args, line = append(args, word), line[len(quoted):]
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		args, line = append(args, word), rest
	}
	return args
}

// alike reports whether two replies to a request are the same as far as they must be. Times may differ by what the two
// were apart, and orders of keys do not count; in a transaction too.
func (w *twins) alike(args []string, theirs, ours string) bool {
	command := strings.ToLower(args[0])
	if command != "exec" {
		if ours == "+QUEUED\r\n" {
			w.queued = append(w.queued, args)
		}
		if command == "multi" && ours == "+OK\r\n" || command == "discard" {
			w.queued, w.open = nil, command == "multi"
		}
		return sameReply(args, theirs, ours)
	}
	queued := w.queued
	w.queued, w.open = nil, w.open && strings.HasPrefix(ours, "-ERR")
	a, b := elements(theirs), elements(ours)
	if theirs == ours || len(a) != len(queued) || len(b) != len(queued) {
		return theirs == ours
	}
	for i := range queued {
		if !sameReply(queued[i], a[i], b[i]) {
			w.t.Logf("in the transaction: %q\n  Redis: %.300q\n  we:    %.300q", queued[i], a[i], b[i])
			return false
		}
	}
	return true
}

// elements returns the replies in an array.
func elements(reply string) (all []string) {
	in := bufio.NewReader(strings.NewReader(reply))
	if head, err := in.ReadString('\n'); err != nil || head[0] != '*' {
		return nil
	}
	for {
		e, err := readRESP(in)
		if err != nil {
			return all
		}
		all = append(all, e)
	}
}

// sameReply is alike for one command.
func sameReply(args []string, theirs, ours string) bool {
	switch strings.ToLower(args[0]) {
	case "keys":
		a, b := elements(theirs), elements(ours)
		slices.Sort(a)
		slices.Sort(b)
		return slices.Equal(a, b)
	case "scan":
		a, b := elements(theirs), elements(ours)
		return theirs == ours || len(a) == 2 && len(b) == 2 && a[0] == b[0] && sameReply([]string{"keys"}, a[1], b[1])
	case "randomkey":
		return theirs[0] == ours[0]
	case "ttl", "expiretime":
		return theirs == ours || near(theirs, ours, timesApart/1000)
	case "pttl", "pexpiretime":
		return theirs == ours || near(theirs, ours, timesApart)
	}
	return theirs == ours
}

// timesApart is how much times on the two may differ, in milliseconds.
const timesApart = int64(20 * time.Second / time.Millisecond)

// near reports whether two replies are times that are no further apart.
func near(a, b string, apart int64) bool {
	x, err := strconv.ParseInt(strings.TrimSpace(strings.TrimPrefix(a, ":")), 10, 64)
	y, also := strconv.ParseInt(strings.TrimSpace(strings.TrimPrefix(b, ":")), 10, 64)
	return err == nil && also == nil && a[0] == ':' && b[0] == ':' && x > 0 && y > 0 && max(x-y, y-x) <= apart
}

// beforeLogin compares what is answered to somebody who has not logged in.
func beforeLogin(t *testing.T, w *twins, version string) {
	c := w.on(t)
	for _, line := range strings.Split(strings.TrimSpace(loginScript), "\n") {
		args := words(t, line)
		if strings.HasPrefix(line, "HELLO "+version+" AUTH") {
			continue
		}
		if theirs, ours := c.do(args...); theirs != ours {
			t.Errorf("%s\n  Redis: %q\n  we:    %q", line, theirs, ours)
		}
	}
	theirs, ours := c.do("HELLO", version, "AUTH", "alice", "alice-secret", "SETNAME", "me")
	if got := neutral(ours); got != neutral(theirs) {
		t.Errorf("HELLO\n  Redis: %q\n  we:    %q", theirs, ours)
	}
	c.must("CLIENT", "GETNAME")
	c.must("ACL", "WHOAMI")
	c.must("RESET")
	c.must("GET", "k")
	c.must("AUTH", "default-secret")
	c.must("ACL", "WHOAMI")
	c.must("QUIT")
}

// neutral is HELLO's reply without what is a server's own: the version that it has, and the number of the connection.
func neutral(reply string) string {
	lines := strings.Split(reply, "\r\n")
	for i, line := range lines {
		switch line {
		case "version":
			lines[i+1], lines[i+2] = "", ""
		case "id":
			lines[i+1] = ""
		}
	}
	return strings.Join(lines, "\r\n")
}

const loginScript = `
PING
GET k
HELLO
HELLO 3
HELLO 4
HELLO x
HELLO 3 AUTH alice
HELLO 3 AUTH alice wrong
HELLO 3 SETNAME "a b"
HELLO 3 FOO
AUTH alice wrong
AUTH wrong
AUTH a b c
AUTH
RESET
RESET x
`

// seeds are how many, or with a comma which, sequences of random commands are played.
func seeds() (all []int64) {
	text := os.Getenv("REDIS_SEEDS")
	if strings.Contains(text, ",") {
		for word := range strings.SplitSeq(text, ",") {
			if n, err := strconv.ParseInt(word, 10, 64); err == nil {
				all = append(all, n)
			}
		}
		return all
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		n = 6
	}
	for i := range n {
		all = append(all, int64(i+1))
	}
	return all
}
