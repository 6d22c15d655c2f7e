package server

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// An asked is what a client sends and what it then waits for. That follows from interface 1.1 and 1.3
// alone, and from whether the session is logged in.
type asked struct {
	send    string // lines, without the last one's end
	prompts string // what comes before the reply, on its line
	reply   form
	want    string // the reply, if it is known: of a marker, and of a count
}

type form uint8

const (
	oneLine form = iota
	noReply
	toEnd     // lines up to END, or one line of error
	toEndMore // or up to MORE k
)

// formOf tells the form of the reply from a command line.
func formOf(line string) form {
	words := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' })
	if len(words) == 0 {
		return noReply
	}
	switch strings.ToUpper(words[0]) {
	case "MGET", "STATS", "STATUS", "HELP":
		return toEnd
	case "KEYS":
		return toEndMore
	}
	return oneLine
}

// readReply reads one reply: too few lines, or too many, and a marker is not where it has to be.
func (c *testClient) readReply(a asked) {
	c.t.Helper()
	c.expectText(a.prompts)
	if a.reply == noReply {
		return
	}
	first := c.line()
	if a.want != "" && first != a.want {
		c.t.Fatalf("%.80q is answered %.80q, want %q", a.send, first, a.want)
	}
	if a.reply == oneLine || strings.HasPrefix(first, "ERR ") {
		return
	}
	for line := first; line != "END" && (a.reply != toEndMore || !strings.HasPrefix(line, "MORE ")); {
		line = c.line()
	}
}

// scripted makes a random script of one session, and keeps what it needs to know of it.
type scripted struct {
	rng     *rand.Rand
	asks    []asked
	in      bool // logged in, as the user u with the password x
	failed  int  // logins since the last that was none
	counted int  // what the key seq holds
	marks   int
}

// Lines that are served the same way whatever was before; some are no commands, some are refused.
var scriptLines = []string{
	"GET a", "GET none", "GET", "GET a b", "get \"a", "GETV a", "HAS a", "TTL a", "COUNT", "WHOAMI", "VERSION", "PING", "PING \"two words\"", "SYNC", "SYNC now",
	"SET a 1", "SET b  two words ", "SET c \"END\"", "SET d \"a\\nEND\\n\" EX 60", "SET a v EX 60", "SET a \"v\" NX", "SET \"\" v", "SET e ERR x", "SET f MORE x",
	"SETEX a 5m v", "SETEX a soon v", "SETNX g v", "CAS a 1 v", "CAS a x v", "APPEND h v", "INCR a", "INCR n 5", "DECR n", "INCR n x", "EXPIRE a 5", "PERSIST a",
	"DELETE a", "DEL a b c", "DELETE", "MSET a 1 \"b c\" 2 END 3", "MSET a", "ONCE 1 INCR m", "ONCE 2 GET a", "ONCE", "ONCE 3 DELETE a b",
	"MGET a b c d e f none", "MGET", "MGET \"a", "KEYS", "KEYS * LIMIT 1", "KEYS LIMIT 0", "KEYS a* LIMIT 2 AFTER a", "STATS", "STATUS", "STATUS x",
	"HELP", "HELP get", "HELP nothing", "HELP a b", "NONSENSE", "GTE a", "FLUSH", "PASSWD x", "UNREGISTER", "UNREGISTER wrong", "PASSWD wrong y", "PASSWD x x",
	"", " \t ", "\x07\x1b[2J", "\u00e9", "\"GET\" a", "a\rb", strings.Repeat("x", 30_000), "SET a " + strings.Repeat("v", 1001), "GET " + strings.Repeat("k", 1025),
}

func (s *scripted) add(a asked) { s.asks = append(s.asks, a) }

func (s *scripted) mark() {
	s.marks++
	text := "marker-" + strconv.Itoa(s.marks)
	s.add(asked{send: "PING " + text, want: text})
}

// step adds something at random.
func (s *scripted) step() {
	switch n := s.rng.IntN(20); {
	case n < 12:
		line := scriptLines[s.rng.IntN(len(scriptLines))]
		s.add(asked{send: line, reply: formOf(line)})
	case n < 15 && s.in: // the order of writes that wait for each other
		s.counted++
		s.add(asked{send: "INCR seq", want: strconv.Itoa(s.counted)})
	case n == 15 && s.in:
		s.counted = 0
		s.add(asked{send: "FLUSH ALL", want: "OK"})
	case n == 16 && s.in:
		s.in, s.failed = false, 0
		s.add(asked{send: "LOGOUT", want: "LOGIN or SIGNUP"})
	case n == 17 && s.in:
		old := []string{"x", "wrong"}[s.rng.IntN(2)]
		s.add(asked{send: "PASSWD\n" + old + "\nx", prompts: "Enter old password: Enter new password: "})
	case n == 18 && s.in:
		s.add(asked{send: []string{"LOGIN", "SIGNUP", "LOGIN u", "SIGNUP v y"}[s.rng.IntN(4)]})
	case n >= 15 && !s.in:
		s.login()
	default:
		s.mark()
	}
}

func (s *scripted) login() {
	const both = "Enter username: Enter password: "
	if s.failed < 5-1 && s.rng.IntN(2) == 0 {
		s.failed++
		s.add([]asked{
			{send: "LOGIN u wrong"}, {send: "LOGIN u"}, {send: "SIGNUP u x"}, {send: "LOGIN\nu\nwrong", prompts: both},
			{send: "SIGNUP\n\nGET a", prompts: both}, {send: "LOGIN\n" + strings.Repeat("u", 600), prompts: "Enter username: "},
			{send: "LOGIN\nu\n" + strings.Repeat("p", 600), prompts: both},
		}[s.rng.IntN(7)])
		return
	}
	s.in = true
	s.add([]asked{
		{send: "LOGIN u x", want: "Login successful"}, {send: "LOGIN\nu\nx", prompts: both, want: "Login successful"},
	}[s.rng.IntN(2)])
}

// Exactly one reply for each command line, in order, however the lines come: by random scripts, cut
// anywhere, with markers whose replies must come back where they belong.
func TestOneReplyForEachLine(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		inBubble(t, Config{MaxValue: 1000, LoginTimeout: 24 * time.Hour}, func(t *testing.T, _ *Server, dial func() *testClient) {
			s := &scripted{rng: rand.New(rand.NewPCG(seed, 5)), in: true}
			s.add(asked{send: "SIGNUP u x", want: "User created successfully"})
			for range 150 {
				s.step()
			}
			s.mark()
			s.add(asked{send: "QUIT", want: "BYE"})
			c := dial()
			c.expect("LOGIN or SIGNUP")
			go c.sendInPieces(s.asks, rand.New(rand.NewPCG(seed, 6)))
			for i, a := range s.asks {
				t.Logf("%d: %.60q", i, a.send)
				c.readReply(a)
			}
			c.expectEnd()
		})
	}
}

// sendInPieces sends lines, some ending in CR LF, cut at random.
func (c *testClient) sendInPieces(asks []asked, rng *rand.Rand) {
	var text strings.Builder
	for _, a := range asks {
		text.WriteString(a.send + []string{"\n", "\r\n"}[rng.IntN(2)])
	}
	for rest := text.String(); rest != ""; {
		n := min(len(rest), 1+rng.IntN([]int{10, 1000, 40_000}[rng.IntN(3)]))
		c.sendBeside(rest[:n])
		rest = rest[n:]
	}
}

// FuzzReplies is the same for lines that nobody has thought of.
func FuzzReplies(f *testing.F) {
	f.Add(strings.Join(scriptLines[:60], "\n"))
	f.Add("LOGOUT\nGET a\nLOGIN u x\nKEYS\nMGET a b\nHELP\nHELP MGET\nSTATS x\nmget\t\"a b\" c\nkeys LIMIT 1\nPASSWD x y\nFLUSH ALL")
	f.Fuzz(func(t *testing.T, text string) {
		asks := askedOf(text)
		s, _ := newTestServer(t, Config{MaxValue: 1000})
		defer s.Close()
		ours, theirs := net.Pipe()
		s.admit(theirs, port{})
		ours.SetDeadline(time.Now().Add(testPatience))
		c := newClient(t, ours)
		c.expect("LOGIN or SIGNUP")
		go func() {
			for _, a := range asks {
				io.WriteString(ours, a.send+"\n")
			}
		}()
		for _, a := range asks {
			c.readReply(a)
		}
		c.expectEnd()
	})
}

// askedOf makes a script of lines, with a marker behind each. It leaves out what ends the session, or
// a line, or asks for more lines, and all passwords but one: who has failed once has to wait.
func askedOf(text string) []asked {
	asks := []asked{{send: "SIGNUP u x", want: "User created successfully"}}
	passwords := 0
	for i, line := range strings.Split(text, "\n") {
		words := strings.Fields(strings.ToUpper(line) + " .")
		if strings.ContainsAny(line, "\r\x03\x04") || strings.Contains(line, "\xff") || i > 100 {
			continue
		}
		switch words[0] {
		case "QUIT", "EXIT":
			continue
		case "LOGIN", "SIGNUP", "PASSWD", "UNREGISTER":
			if passwords++; passwords > 1 || len(words) < 3 || words[0] == "UNREGISTER" {
				continue
			}
		}
		mark := fmt.Sprintf("marker-%d", i)
		asks = append(asks, asked{send: line, reply: formOf(line)}, asked{send: "PING " + mark, want: mark})
	}
	return append(asks, asked{send: "QUIT", want: "BYE"})
}
