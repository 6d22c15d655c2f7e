//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"ciderd/test/harness"
)

// stranger speaks to the port between nodes in the name of one of them. What it says is written down here on
// purpose: a stranger does not use the daemon's code.
type stranger struct {
	node, id string
}

func field(b []byte, s string) []byte { return append(append(b, byte(len(s))), s...) }

// open greets a node as the release before does.
func (s stranger) open(kind byte, to *harness.Node) (net.Conn, string, error) {
	conn, err := net.DialTimeout("tcp", to.Peer(), 5*time.Second)
	if err != nil {
		return nil, "", err
	}
	b := append([]byte("CIDERPEER\x01"), kind)
	for _, f := range []string{"harness", s.node, s.id, to.Name} {
		b = field(b, f)
	}
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = conn.Write(b)
	r := bufio.NewReader(conn)
	ok, err := r.ReadByte()
	var fields [3]string
	for i := range fields {
		n, _ := r.ReadByte()
		text := make([]byte, n)
		_, _ = io.ReadFull(r, text)
		fields[i] = string(text)
	}
	if err == nil && ok != 1 {
		err = errors.New(fields[2])
	}
	if err != nil {
		conn.Close()
		return nil, fields[1], err
	}
	_ = conn.SetDeadline(time.Time{})
	return conn, fields[1], nil
}

// idOf is a node's server id.
func idOf(t *testing.T, n, as *harness.Node) string {
	t.Helper()
	_, id, _ := stranger{as.Name, as.Name + "/none"}.open('Q', n)
	if id == "" {
		t.Fatalf("%s does not say who it is", n.Name)
	}
	return id
}

// toRaft is the way to one node's Raft.
type toRaft struct {
	stranger
	to *harness.Node
}

func (r toRaft) Dial(raft.ServerAddress, time.Duration) (net.Conn, error) {
	conn, _, err := r.open('R', r.to)
	return conn, err
}
func (toRaft) Accept() (net.Conn, error) { select {} }
func (toRaft) Close() error              { return nil }
func (r toRaft) Addr() net.Addr          { return &net.UnixAddr{Name: r.id} }

// says sends a node's Raft a message, and the reason why it is not taken, if it is not.
func (s stranger) says(to *harness.Node, change func(*raft.AppendEntriesRequest)) error {
	transport := raft.NewNetworkTransportWithLogger(toRaft{s, to}, 1, 5*time.Second, hclog.NewNullLogger())
	defer func() { go transport.Close() }() // it waits for Accept
	m := &raft.AppendEntriesRequest{
		RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(s.id), Addr: []byte(s.id)},
	}
	change(m)
	return transport.AppendEntries("x", "x", m, &raft.AppendEntriesResponse{})
}

// batch is one of an origin, with a sweep in it.
func batch(origin string, incarnation, sequence uint64) []byte {
	table := crc32.MakeTable(crc32.Castagnoli)
	body := append(binary.AppendUvarint(nil, uint64(len(origin))), origin...)
	body = append(binary.AppendUvarint(binary.AppendUvarint(body, incarnation), sequence), 1, 13, 0, 0)
	head := []byte{1, 1}
	e := binary.LittleEndian.AppendUint32(head, crc32.Update(crc32.Checksum(head, table), table, body))
	stamp := make([]byte, 8)
	e = binary.LittleEndian.AppendUint32(append(e, stamp...), crc32.Checksum(stamp, table))
	return append(e, body...)
}

// TestStrangerFrames: one of three nodes does not run, and a stranger speaks in its name. The cluster goes on
// writing after whatever he says, also at the node in whose name he said it.
func TestStrangerFrames(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3, Config: patient})
	leader := c.Leader()
	gone := c.Followers(leader)[0]
	others := []*harness.Node{leader, c.Followers(leader)[1]}
	s := stranger{gone.Name, idOf(t, gone, leader)}
	gone.Kill()
	conns := []net.Conn{}
	defer func() {
		for _, conn := range conns {
			conn.Close()
		}
	}()
	hold := func(kind byte, to *harness.Node, bytes []byte) {
		if conn, _, err := s.open(kind, to); err == nil {
			_, _ = conn.Write(bytes)
			conns = append(conns, conn)
		}
	}
	for _, step := range []struct {
		name string
		say  func(to *harness.Node)
	}{
		{"a batch of the last incarnation", func(to *harness.Node) {
			b := batch(s.id, math.MaxUint64, 1)
			hold('F', to, append(binary.LittleEndian.AppendUint32(nil, uint32(len(b))), b...))
		}},
		{"a batch that is none", func(to *harness.Node) {
			hold('F', to, append(binary.LittleEndian.AppendUint32(nil, 64), make([]byte, 64)...))
		}},
		{"unfinished frames", func(to *harness.Node) {
			for range 40 {
				hold('F', to, append(binary.LittleEndian.AppendUint32(nil, 16<<20), make([]byte, 64<<10)...))
				hold('R', to, []byte{0, 0x8a, 0xa4})
				hold('Q', to, []byte{0xff, 0xff, 0, 0, '{'})
			}
		}},
		{"empty maps", func(to *harness.Node) {
			message := append([]byte{0, 0x81, 0xa7}, "Entries"...)
			hold('R', to, append(append(message, 0xdd, 0, 0xd0, 0, 0), bytes.Repeat([]byte{0x80}, 13<<20)...))
		}},
		{"a nil entry", func(to *harness.Node) {
			_ = s.says(to, func(m *raft.AppendEntriesRequest) { m.Term, m.Entries = 1000, []*raft.Log{nil} })
		}},
		{"an unreadable entry", func(to *harness.Node) {
			_ = s.says(to, func(m *raft.AppendEntriesRequest) {
				m.Term, m.Entries = 2000, []*raft.Log{{Index: 1 << 20, Term: 2000, Data: []byte("no entry")}}
			})
		}},
		{"a configuration that is none", func(to *harness.Node) {
			_ = s.says(to, func(m *raft.AppendEntriesRequest) {
				m.Term, m.Entries = 3000, []*raft.Log{{Index: 1 << 20, Term: 3000, Type: raft.LogConfiguration, Data: []byte{0xc1}}}
			})
		}},
		{"a heartbeat of the last term", func(to *harness.Node) {
			_ = s.says(to, func(m *raft.AppendEntriesRequest) { m.Term = math.MaxUint64 })
		}},
	} {
		for _, n := range others {
			step.say(n)
		}
		for _, n := range others {
			if !n.Running() {
				t.Fatalf("%s: %s has ended", step.name, n.Name)
			}
		}
		everyNodeWrites(t, c, others)
		if t.Failed() {
			t.Fatal("after " + step.name)
		}
	}
	gone.Start()
	c.WaitReady()
	everyNodeWrites(t, c, c.Nodes)
}

// TestStrangersLearnNothing: who does not know the cluster's name is told neither names nor ids, and who calls
// himself by a node's own name is no node.
func TestStrangersLearnNothing(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3})
	n := c.Nodes[0]
	conn, err := net.Dial("tcp", n.Peer())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = conn.Write(append([]byte("CIDERPEER\x01Q"), 0, 0, 0, 0))
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	said, _ := io.ReadAll(conn)
	for _, secret := range []string{"n1", "harness"} {
		if bytes.Contains(said, []byte(secret)) {
			t.Errorf("an empty hello learns %q", said)
		}
	}
	for _, as := range []stranger{{n.Name, n.Name + "/x"}, {n.Name, idOf(t, n, c.Nodes[1])}} {
		if conn, _, err := as.open('Q', n); err == nil {
			conn.Close()
			t.Errorf("%s is welcome at itself", as.id)
		}
	}
}

// TestSilentConnections: 300 connections that say nothing, to each node, and come back when they are closed. A
// cluster that writes does not notice, nor does a node that starts.
func TestSilentConnections(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3, Config: patient})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for _, n := range c.Nodes {
		for range 300 {
			wg.Go(func() {
				for {
					if conn, err := net.DialTimeout("tcp", n.Peer(), time.Second); err == nil {
						go func() { <-stop; conn.Close() }()
						_, _ = conn.Read(make([]byte, 1))
						conn.Close()
					}
					select {
					case <-stop:
						return
					case <-time.After(time.Second):
					}
				}
			})
		}
	}
	defer wg.Wait()
	defer close(stop)
	time.Sleep(2 * time.Second)
	l := startLoad(t, c)
	l.progress(t, 20, c.Nodes...)
	leader := c.Leader()
	restarted := c.Followers(leader)[0]
	restarted.Kill()
	l.progress(t, 20, leader, c.Followers(leader)[1])
	restarted.Start()
	begun := time.Now()
	restarted.WaitServing()
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("a node serves %v after its start", took.Round(time.Millisecond))
	}
	l.progress(t, 20, c.Nodes...)
	l.halt()
	l.check(t, c, c.Followers(restarted))
}
