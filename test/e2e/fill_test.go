//go:build e2e

package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"ciderd/test/harness"
)

// filler is one user's client that stores new keys, each with a value that can be told from its key.
type filler struct {
	user    string
	conn    *harness.Client
	size    int // of a value
	written int
}

func newFiller(t *testing.T, n *harness.Node, user string, size int) *filler {
	t.Helper()
	return &filler{user: user, conn: harness.LoginAs(t, n, user), size: size}
}

func fillKey(i int) string { return fmt.Sprintf("k%07d", i) }

func (f *filler) value(i int) string {
	text := strings.Repeat(strconv.Itoa(i)+",", f.size/len(strconv.Itoa(i)+",")+1)
	return text[:f.size]
}

// write stores so many keys more, and returns what was answered instead of OK, if something was.
func (f *filler) write(count int) error {
	const burst = 500
	for count > 0 {
		lines := make([]string, min(burst, count))
		for i := range lines {
			lines[i] = "SET " + fillKey(f.written+i) + " " + f.value(f.written+i)
		}
		replies, err := f.conn.Pipeline(lines...)
		if err != nil {
			return err
		}
		for _, r := range replies {
			if r != "OK" {
				return fmt.Errorf("SET of %s: %s", f.user, r)
			}
		}
		f.written, count = f.written+len(lines), count-len(lines)
	}
	return nil
}

// check wants all that is missing of a filler's to be counted as evicted, the same on every node, and the rest to have
// its value. It returns how many keys there are.
func (f *filler) check(t *testing.T, c *harness.Cluster) int {
	t.Helper()
	var s state
	harness.Eventually(t, f.user+" is the same everywhere, and adds up", func() error {
		s = sameEverywhere(t, c, f.user)
		for _, n := range c.Nodes {
			stats, err := statsOf(n, f.user)
			if err != nil {
				return err
			}
			if keys, gone := stats["keys"], stats["evicted"]; keys+gone != int64(f.written) || keys != int64(len(s)) {
				return fmt.Errorf("%s: %d written, %d keys, %d listed, %d evicted", n.Name, f.written, keys, len(s), gone)
			}
		}
		return nil
	})
	last := 0
	for i := range f.written {
		reply, ok := s[fillKey(i)]
		if !ok {
			continue
		}
		fields := strings.SplitN(reply, " ", 4)
		if version, err := strconv.Atoi(fields[1]); err != nil || version <= last || fields[3] != f.value(i) {
			t.Fatalf("%s after version %d: %s", fillKey(i), last, harness.Short(reply))
		} else {
			last = version
		}
	}
	return len(s)
}

func statsOf(n *harness.Node, user string) (map[string]int64, error) {
	conn, err := n.Dial()
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.Login(user, harness.Password); err != nil {
		return nil, err
	}
	if _, err := conn.Do("SYNC"); err != nil {
		return nil, err
	}
	return conn.Stats()
}

// untilFull stores keys until they are refused, and returns how many there are.
func (f *filler) untilFull(t *testing.T, limit int) int {
	t.Helper()
	for f.written < limit/f.size+1 {
		var lines []string
		for i := range 100 {
			lines = append(lines, "SET "+fillKey(f.written+i)+" "+f.value(f.written+i))
		}
		replies, err := f.conn.Pipeline(lines...)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range replies {
			switch full := strings.HasPrefix(r, "ERR MEMORY_FULL "); {
			case full && i == len(replies)-1:
				return f.written
			case full:
			case r != "OK" || i > 0 && replies[i-1] != "OK": // they are all of one size
				t.Fatalf("SET: %q", r)
			default:
				f.written++
			}
		}
	}
	t.Fatalf("%d values of %d bytes, and a limit of %d", f.written, f.size, limit)
	return 0
}
