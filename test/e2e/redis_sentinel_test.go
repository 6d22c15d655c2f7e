//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"

	"ciderd/test/harness"
)

// TestSentinelClientsAreLedOn: a client in Sentinel mode that has subscribed is told where to go when its node stops, and
// finds there a node that names itself.
func TestSentinelClientsAreLedOn(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3, Redis: true, Config: "auth { bcrypt_cost = 4 }\n"})
	leaves := c.Followers(c.Leader())[0]
	for _, version := range []string{"2", "3"} {
		t.Run("RESP"+version, func(t *testing.T) {
			p := dialRESP(t, "tcp", leaves.Redis)
			if reply := p.do("SIGNUP", "alice"+version, "secret"); reply != "+OK\r\n" {
				t.Fatalf("SIGNUP: %q", reply)
			}
			p.do("HELLO", version)
			p.do("SUBSCRIBE", "+switch-master")
			address := elements(dialAs(t, leaves.Redis, "alice"+version).do("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "harness"))
			if got := hostPort(address); got != leaves.Redis {
				t.Errorf("it names %s, and is %s", got, leaves.Redis)
			}
			leaves.Signal(syscall.SIGTERM)
			told := strings.Fields(strings.Join(elements("*9"+strings.TrimLeft(p.reply(), "*>3")), " "))
			if len(told) < 9 || told[3] != "+switch-master" {
				t.Fatalf("it is told %q", told)
			}
			next := net.JoinHostPort(told[len(told)-2], told[len(told)-1])
			if from := net.JoinHostPort(told[len(told)-4], told[len(told)-3]); from != leaves.Redis || next == from {
				t.Errorf("it is sent from %s to %s", from, next)
			}
			if reply, err := readRESP(p.in); err == nil {
				t.Errorf("behind that it is told %q", reply)
			}
			leaves.WaitEnd(harness.StopLimit)
			if got := hostPort(elements(dialAs(t, next, "alice"+version).do("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "harness"))); got != next {
				t.Errorf("%s names %s", next, got)
			}
			leaves.Start()
			leaves.WaitServing()
		})
	}
}

func dialAs(t *testing.T, address, user string) *respConn {
	t.Helper()
	c := dialRESP(t, "tcp", address)
	if reply := c.do("AUTH", user, "secret"); reply != "+OK\r\n" {
		t.Fatalf("AUTH: %q", reply)
	}
	return c
}

// hostPort is the address that two bulks are.
func hostPort(bulks []string) string {
	if len(bulks) != 2 {
		return fmt.Sprint(bulks)
	}
	word := func(b string) string { return strings.Split(b, "\r\n")[1] }
	return net.JoinHostPort(word(bulks[0]), word(bulks[1]))
}

// TestAPortOfRedisThatIsTaken ends a node that was told to serve it.
func TestAPortOfRedisThatIsTaken(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 1, Redis: true})
	n := c.Nodes[0]
	n.Stop(harness.StopLimit)
	l, err := net.Listen("tcp", n.Redis)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	n.Start()
	if code := n.WaitEnd(harness.StopLimit); code == 0 {
		t.Error("it ended well")
	}
}
