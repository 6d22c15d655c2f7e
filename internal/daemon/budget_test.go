package daemon_test

import (
	"bufio"
	"fmt"
	"net"
	"testing"

	"ciderd/test/norace"
)

// What a whole SET allocates on a node that is alone: read, made into a batch, stored by Raft, applied and answered. The
// libraries make most of it: Raft for each entry, go-msgpack as raft-boltdb encodes it, and BoltDB.
func TestBudgetOfASet(t *testing.T) {
	n := open(t, t.TempDir(), "")
	defer n.stop()
	conn, err := net.Dial("tcp", n.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	ask := func(line []byte) string {
		_, err1 := conn.Write(line)
		reply, err2 := in.ReadSlice('\n')
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		return string(reply)
	}
	if banner, err := in.ReadString('\n'); err != nil {
		t.Fatal(banner, err)
	}
	ask([]byte("SIGNUP alice pa55word\n"))
	lines := make([][]byte, 50)
	for i := range lines {
		lines[i] = fmt.Appendf(nil, "SET key:%04d a value of thirty-two bytes, more\n", i)
	}
	next := 0
	norace.Budget(t, "SET", 80, 50, func() {
		next++
		if got := ask(lines[next%len(lines)]); got != "OK\n" {
			t.Fatalf("%q", got)
		}
	})
}
