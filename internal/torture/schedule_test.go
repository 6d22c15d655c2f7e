package torture

import (
	"encoding/binary"
	"slices"
	"testing"
)

func names(t *testing.T, seed uint64, nodes, count int, only ...string) []string {
	t.Helper()
	d, err := newDeck(faults(), seed, nodes, only)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for range count {
		got = append(got, d.next().name())
	}
	return got
}

func TestScheduleIsItsSeeds(t *testing.T) {
	if a, b := names(t, 7, 3, 100), names(t, 7, 3, 100); !slices.Equal(a, b) {
		t.Error("two schedules of one seed differ")
	}
	if a, b := names(t, 7, 3, 100), names(t, 8, 3, 100); slices.Equal(a, b) {
		t.Error("two seeds have one schedule")
	}
}

// TestEveryFaultComes: one pass over the deck has each of them.
func TestEveryFaultComes(t *testing.T) {
	got := names(t, 1, 5, len(faults())+pairsDealt)
	for _, f := range faults() {
		if !slices.Contains(got, f.name) {
			t.Errorf("no %s in %v", f.name, got)
		}
	}
	for _, name := range []string{"partition-ring", "partition-halves"} {
		if slices.Contains(names(t, 1, 3, 100), name) {
			t.Errorf("%s of three", name)
		}
	}
}

func TestChosenFaults(t *testing.T) {
	for _, name := range names(t, 1, 3, 10, "kill-all", "loss+wipe") {
		if name != "kill-all" && name != "loss+wipe" {
			t.Errorf("dealt %s", name)
		}
	}
	if _, err := newDeck(faults(), 1, 3, []string{"kill-al"}); err == nil {
		t.Error("a fault that does not exist is taken")
	}
	if _, err := newDeck(faults(), 1, 3, []string{"loss+member-new"}); err == nil {
		t.Error("what cannot be taken back under another fault is taken together with one")
	}
}

func TestFaultsAreWellFormed(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range faults() {
		if seen[f.name] || f.how == "" || (f.hold == nil) == (f.act == nil) || f.hold != nil && f.longest < f.shortest {
			t.Errorf("%+v", f)
		}
		if f.single && (f.hold != nil || slices.Contains(inPairs, f.name)) {
			t.Errorf("%s goes with no other fault, and is dealt together with some", f.name)
		}
		seen[f.name] = true
	}
}

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
	r := &recorder{stop: make(chan struct{}), flows: map[string]*flow{}}
	r.packet(segment(500, 0, "before we looked"))
	r.packet(segment(99, 2, ""))
	r.packet(segment(103, 0, "def"))
	r.packet(segment(100, 0, "abc"))
	r.packet(segment(100, 0, "abc")) // sent again
	r.packet(segment(110, 0, "behind a gap"))
	flows := r.close()
	if len(flows) != 1 || string(flows[0].data) != "abcdef" || flows[0].to != "10.99.99.2:7000" {
		t.Errorf("recorded %d: %+v", len(flows), flows)
	}
}

// FuzzPacket: whatever comes off a wire, the recorder lives.
func FuzzPacket(f *testing.F) {
	f.Add(segment(99, 2, ""))
	f.Add(segment(100, 0, "abc"))
	f.Add(segment(100, 0, "abc")[:40])
	f.Fuzz(func(t *testing.T, p []byte) {
		r := &recorder{flows: map[string]*flow{}}
		r.packet(segment(99, 2, ""))
		r.packet(p)
	})
}
