package faults

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"time"

	"ciderd/test/torture/judge"
	"ciderd/test/torture/rig"
)

// garbage talks nonsense to every peer port for some seconds. Nobody may notice: all nodes stay
// quiet.
func garbage(r *Round) error {
	var idle []net.Conn
	defer func() {
		for _, c := range idle {
			_ = c.Close()
		}
	}()
	for i := range 30 {
		for _, n := range r.Cluster.Nodes {
			for _, message := range nonsense(r.Random, n, r.Cluster.Others(n)[0]) {
				if err := throw(n.Peer(), message); err != nil && !r.Combined {
					return judge.Violationf("the peer port of %s: %v", n.Name, err)
				}
			}
			if i < 3 { // connections that never say anything
				for range 20 {
					if c, err := net.DialTimeout("tcp", n.Peer(), time.Second); err == nil {
						idle = append(idle, c)
					}
				}
			}
		}
		if err := r.Pass(100 * time.Millisecond); err != nil {
			return err
		}
	}
	return r.flows()
}

// throw sends bytes and hangs up; that the other side hangs up first is what it should do.
func throw(address string, message []byte) error {
	conn, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		return err
	}
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	_, _ = conn.Write(message)
	return conn.Close()
}

// greeting is the first message of a peer connection: magic, kind, then each field behind its
// length. It is written down here again on purpose: a forger does not use the daemon's code.
func greeting(kind byte, cluster, node, serverID, want string) []byte {
	b := append([]byte("CIDERPEER\x01"), kind)
	for _, field := range []string{cluster, node, serverID, want} {
		b = append(append(b, byte(len(field))), field...)
	}
	return b
}

// nonsense is one of each kind of message, to a node, some of them in another node's name.
func nonsense(random *rand.Rand, to, from *rig.Node) [][]byte {
	noise := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return b
	}
	length := func(n uint32, body []byte) []byte {
		return append(binary.LittleEndian.AppendUint32(nil, n), body...)
	}
	forged := fmt.Sprintf("%s/%010x", from.Name, random.Uint64N(1<<40))
	as := func(kind byte) []byte { return greeting(kind, "torture", from.Name, forged, to.Name) }
	join := fmt.Appendf(nil, `{"Join":{"ServerID":%q}}`, forged)
	hello := as('R')
	return [][]byte{
		noise(1 + random.IntN(4096)),
		[]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		append([]byte("CIDERPEER\x01"), noise(200)...),
		hello[:random.IntN(len(hello))],
		greeting('R', "another", from.Name, forged, to.Name),
		greeting('R', "torture", "stranger", "stranger/1", to.Name),
		greeting('Z', "torture", from.Name, forged, to.Name),
		slices.Concat(as('Q'), length(0xffffffff, nil)),
		slices.Concat(as('Q'), length(40, noise(40))),
		slices.Concat(as('Q'), length(uint32(len(join)), join)),
		slices.Concat(as('F'), length(15<<20, noise(100))),
		slices.Concat(as('F'), length(0xfffffff0, noise(100))),
		slices.Concat(as('F'), length(300, noise(300))),
		slices.Concat(as('R'), noise(300)),
		slices.Concat(as('R'), []byte{byte(random.IntN(6))}, noise(3000)),
	}
}
