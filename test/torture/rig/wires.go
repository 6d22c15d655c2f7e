package rig

import (
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"syscall"
)

// peerPort is the port between nodes, in network byte order of a packet as well.
const peerPort = 7000

// A Flow is what one side of a connection to a peer port has sent, from its beginning, as far as it
// was recorded without a gap.
type Flow struct {
	To    string
	Data  []byte
	next  uint32 // the sequence number that comes next
	later map[uint32][]byte
}

// maxFlow bounds what is kept of one connection, in bytes: a snapshot of what outrun writes.
const maxFlow = 64 << 20

// Recorder listens on the hub's ends of the nodes' wires.
type Recorder struct {
	stop  chan struct{}
	wg    sync.WaitGroup
	mu    sync.Mutex // flows
	flows map[string]*Flow
}

// NewRecorder records what goes over the wires of the nodes, until it is closed.
func NewRecorder(nodes []*Node) (*Recorder, error) {
	r := &Recorder{stop: make(chan struct{}), flows: map[string]*Flow{}}
	for _, n := range nodes {
		if err := r.listen("n" + n.Link.host); err != nil {
			r.Close()
			return nil, err
		}
	}
	return r, nil
}

func networkOrder(v uint16) uint16 { return v<<8 | v>>8 }

func (r *Recorder) listen(port string) error {
	// ETH_P_ALL: the bridge takes a frame away before it reaches those who want one protocol.
	iface, err := net.InterfaceByName(port)
	if err != nil {
		return err
	}
	fd, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, int(networkOrder(syscall.ETH_P_ALL)))
	if err != nil {
		return fmt.Errorf("recording %s: %w", port, err)
	}
	// The time-out lets the goroutine look whether it is to end.
	err = syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &syscall.Timeval{Usec: 100_000})
	if err == nil {
		err = syscall.Bind(fd, &syscall.SockaddrLinklayer{Protocol: networkOrder(syscall.ETH_P_ALL), Ifindex: iface.Index})
	}
	if err != nil {
		_ = syscall.Close(fd)
		return fmt.Errorf("recording %s: %w", port, err)
	}
	_ = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUFFORCE, 64<<20) // fewer gaps
	r.wg.Go(func() { r.drain(fd) })
	return nil
}

// Close ends the recording and gives what there is.
func (r *Recorder) Close() []*Flow {
	close(r.stop)
	r.wg.Wait()
	var flows []*Flow
	for _, f := range r.flows {
		if len(f.Data) > 0 {
			flows = append(flows, f)
		}
	}
	return flows
}

func (r *Recorder) drain(fd int) {
	defer func() { _ = syscall.Close(fd) }()
	packet := make([]byte, 1<<17)
	for {
		select {
		case <-r.stop:
			return
		default:
		}
		n, from, err := syscall.Recvfrom(fd, packet, 0)
		if err != nil {
			if err == syscall.EINTR || err == syscall.EAGAIN {
				continue
			}
			return
		}
		// Each packet passes two wires, into the bridge and out of it: one is enough.
		if ll, ok := from.(*syscall.SockaddrLinklayer); ok && ll.Pkttype == syscall.PACKET_OUTGOING {
			continue
		}
		r.packet(packet[:n])
	}
}

// packet takes one Ethernet frame with IPv4 and TCP in it.
func (r *Recorder) packet(p []byte) {
	if len(p) < 14+20 || binary.BigEndian.Uint16(p[12:]) != syscall.ETH_P_IP || p[14+9] != syscall.IPPROTO_TCP {
		return
	}
	ip := p[14:]
	size, head := int(binary.BigEndian.Uint16(ip[2:])), int(ip[0]&15)*4
	if size > len(ip) || size < head+20 {
		return
	}
	tcp := ip[head:size]
	offset := int(tcp[12]>>4) * 4
	if binary.BigEndian.Uint16(tcp[2:]) != peerPort || offset > len(tcp) {
		return
	}
	key := string(ip[12:20]) + string(tcp[:4])
	seq := binary.BigEndian.Uint32(tcp[4:])
	r.mu.Lock()
	defer r.mu.Unlock()
	const syn = 2
	if tcp[13]&syn != 0 {
		to := fmt.Sprintf("%s:%d", net.IP(ip[16:20]), peerPort)
		r.flows[key] = &Flow{To: to, next: seq + 1, later: map[uint32][]byte{}}
		return
	}
	if f := r.flows[key]; f != nil && offset < len(tcp) {
		f.take(seq, tcp[offset:])
	}
}

func (f *Flow) take(seq uint32, data []byte) {
	if len(f.Data)+len(data) > maxFlow {
		return
	}
	f.later[seq] = append([]byte(nil), data...)
	for next, ok := f.later[f.next]; ok; next, ok = f.later[f.next] {
		delete(f.later, f.next)
		f.Data = append(f.Data, next...)
		f.next += uint32(len(next))
	}
}
