package rig

import (
	"encoding/binary"
	"testing"
)

// segment is an Ethernet frame with data for a peer port.
func segment(seq uint32, flags byte, data string) []byte {
	p := make([]byte, 14+20+20+len(data))
	binary.BigEndian.PutUint16(p[12:], 0x0800)
	ip := p[14:]
	ip[0], ip[9] = 0x45, 6
	binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
	copy(ip[12:], []byte{10, 99, 99, 1, 10, 99, 99, 2})
	tcp := ip[20:]
	binary.BigEndian.PutUint16(tcp, 40000)
	binary.BigEndian.PutUint16(tcp[2:], peerPort)
	binary.BigEndian.PutUint32(tcp[4:], seq)
	tcp[12], tcp[13] = 5<<4, flags
	copy(tcp[20:], data)
	return p
}

func TestRecorderPutsSegmentsInOrder(t *testing.T) {
	r := &Recorder{stop: make(chan struct{}), flows: map[string]*Flow{}}
	r.packet(segment(500, 0, "before we looked"))
	r.packet(segment(99, 2, ""))
	r.packet(segment(103, 0, "def"))
	r.packet(segment(100, 0, "abc"))
	r.packet(segment(100, 0, "abc")) // sent again
	r.packet(segment(110, 0, "behind a gap"))
	flows := r.Close()
	if len(flows) != 1 || string(flows[0].Data) != "abcdef" || flows[0].To != "10.99.99.2:7000" {
		t.Errorf("recorded %d: %+v", len(flows), flows)
	}
}

// FuzzPacket: whatever comes off a wire, the recorder lives.
func FuzzPacket(f *testing.F) {
	f.Add(segment(99, 2, ""))
	f.Add(segment(100, 0, "abc"))
	f.Add(segment(100, 0, "abc")[:40])
	f.Fuzz(func(t *testing.T, p []byte) {
		r := &Recorder{flows: map[string]*Flow{}}
		r.packet(segment(99, 2, ""))
		r.packet(p)
	})
}
