package conversations

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"ciderd/test/harness"
)

// endLimit bounds the end of a node after SIGTERM, on a machine that is ten times
// too slow.
const endLimit = 2 * time.Minute

// leftOnDisk is how much fill-disk leaves free: too little for a node to take
// more in, and enough to delete.
const leftOnDisk = 4 << 20

// act does something to nodes. It returns when that has come about: all threads
// stand still, the process is gone, or it serves; only for the end after a
// SIGTERM it does not wait, as that is what is looked at.
func (c *conversation) act(s step) error {
	c.said = append(c.said, fmt.Sprintf("    %s %s", s.text, s.want))
	nodes := c.nodes
	switch s.want {
	case toNode:
		nodes = nodes[:1]
	case toOthers:
		nodes = nodes[1:]
	}
	for _, n := range nodes {
		switch s.text {
		case actKill:
			n.Kill()
		case actStop:
			n.Pause()
		case actCont:
			n.Resume()
		case actTerm:
			n.Signal(syscall.SIGTERM)
		case actStart:
			n.WaitEnd(endLimit)
			n.Start()
		case actHangDisk:
			n.HangDisk()
		case actFillDisk:
			n.FillDisk(leftOnDisk)
		case actFreeDisk:
			n.FreeDisk()
		}
	}
	if s.text == actStart {
		for _, n := range nodes {
			n.WaitServing()
		}
	}
	return nil
}

// crowdReply is a reply of one of a crowd, or why there is none.
type crowdReply struct {
	text string
	err  error
}

// crowd has many clients of the step's connection's address send the same line,
// until one of them gets the reply that is wanted. Then all go away.
func (c *conversation) crowd(s step) error {
	text := expand(s.text, c.vars)
	replies := make(chan crowdReply, s.n)
	for range s.n {
		conn, err := c.dial(s)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		go func() {
			got, err := ask(conn, text)
			replies <- crowdReply{got, err}
		}()
	}
	var last error
	for range s.n {
		reply := <-replies
		if last = reply.err; last == nil {
			last = c.wanted(s, reply.text)
		}
		if last == nil {
			c.said = append(c.said, fmt.Sprintf("    one of %d: > %s", s.n, text), fmt.Sprintf("    < %s", harness.Short(reply.text)))
			return nil
		}
	}
	return fmt.Errorf("none of %d: %w", s.n, last)
}

// ask sends a line at once and gives the line behind the banner.
func ask(conn net.Conn, text string) (string, error) {
	if err := conn.SetDeadline(time.Now().Add(harness.Limit)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, text+"\n"); err != nil {
		return "", err
	}
	return afterBanner(bufio.NewReader(conn).ReadString)
}

// afterBanner reads the banner and gives the line behind it, without its LF.
func afterBanner(read func(byte) (string, error)) (string, error) {
	got, err := read('\n')
	if want := harness.Banner + "\n"; err == nil && got != want {
		err = harness.Mismatch(want, got)
	}
	if err != nil {
		return "", err
	}
	got, err = read('\n')
	return strings.TrimSuffix(got, "\n"), err
}

// rebootTries is how often reboot tries to be there before the node serves. A
// node that is alone takes a twentieth of a second for that at least.
const rebootTries = 20

// reboot kills the node under test and starts it, with a client that sends its
// line as soon as it can connect; and again, until that client has the reply that
// is wanted. The client is then the step's connection.
func (c *conversation) reboot(s step) error {
	var err error
	for range rebootTries {
		if err = c.rebootOnce(s); err == nil {
			return nil
		}
	}
	return err
}

func (c *conversation) rebootOnce(s step) error {
	n := c.nodes[0]
	n.Kill()
	n.Start()
	conn, err := early(n)
	if err != nil {
		return err
	}
	l := &line{Conn: conn, r: bufio.NewReader(conn)}
	defer func() {
		if c.conns[s.conn] != l {
			_ = conn.Close()
		}
	}()
	if err := l.SetDeadline(time.Now().Add(harness.Limit)); err != nil {
		return err
	}
	if err := c.send(s, l, expand(s.text, c.vars)+"\n"); err != nil {
		return err
	}
	got, err := afterBanner(l.r.ReadString)
	c.note(s, "<", got)
	if err == nil {
		err = c.wanted(s, got)
	}
	if err == nil {
		c.conns[s.conn] = l
	}
	return err
}

// early connects to a node that has just been started, the moment it listens.
func early(n *harness.Node) (net.Conn, error) {
	for until := time.Now().Add(harness.Limit); ; time.Sleep(time.Millisecond) {
		conn, err := harness.Connect(n.Text)
		if err == nil {
			return conn, nil
		}
		if !errors.Is(err, syscall.ECONNREFUSED) || time.Now().After(until) || !n.Running() {
			return nil, err
		}
	}
}
