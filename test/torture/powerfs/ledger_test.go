package powerfs

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// model is a file of which every state of every sector since the last sync is remembered.
type model struct {
	t      *testing.T
	file   *os.File
	l      ledger
	now    []byte
	states map[int][][]byte // by sector, each padded with zeros; the first is the synced one
	sizes  []int
}

func newModel(t *testing.T) *model {
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	m := &model{t: t, file: f}
	m.sync()
	return m
}

func (m *model) sector(i int) []byte {
	s := make([]byte, sectorSize)
	if at := i * sectorSize; at < len(m.now) {
		copy(s, m.now[at:])
	}
	return s
}

const modelSectors = 40

func (m *model) remember() {
	m.sizes = append(m.sizes, len(m.now))
	for i := range modelSectors {
		m.states[i] = append(m.states[i], m.sector(i))
	}
}

func (m *model) sync() {
	m.states, m.sizes = map[int][][]byte{}, nil
	m.l.synced(int64(len(m.now)))
	m.remember()
}

func (m *model) write(off int, data []byte) {
	if err := m.l.before(m.file, int64(off), int64(off+len(data))); err != nil {
		m.t.Fatal(err)
	}
	if _, err := m.file.WriteAt(data, int64(off)); err != nil {
		m.t.Fatal(err)
	}
	m.l.wrote(int64(off), data, int64(len(m.now)))
	m.now = append(m.now, make([]byte, max(0, off+len(data)-len(m.now)))...)
	copy(m.now[off:], data)
	m.remember()
}

func (m *model) resize(size int) {
	if size < len(m.now) {
		if err := m.l.before(m.file, int64(size), int64(len(m.now))); err != nil {
			m.t.Fatal(err)
		}
	}
	if err := m.file.Truncate(int64(size)); err != nil {
		m.t.Fatal(err)
	}
	m.l.resized(int64(len(m.now)), int64(size))
	m.now = append(m.now[:min(size, len(m.now))], make([]byte, max(0, size-len(m.now)))...)
	m.remember()
}

func (m *model) random(r *rand.Rand) {
	switch end := modelSectors * sectorSize; r.IntN(8) {
	case 0:
		m.sync()
	case 1:
		m.resize(r.IntN(end))
	default:
		off := r.IntN(end)
		if r.IntN(3) == 0 {
			off = min(len(m.now), end-1)
		}
		data := make([]byte, 1+r.IntN(min(end-off, 4000)))
		for i := range data {
			data[i] = 1 + byte(r.IntN(255))
		}
		m.write(off, data)
	}
}

// lose loses the power and wants every sector to be as it was at some moment since the sync.
func (m *model) lose(seed uint64) Loss {
	size, loss, err := m.l.lose(rand.New(rand.NewPCG(seed, 0)), m.file)
	if err != nil {
		m.t.Fatal(err)
	}
	got, err := os.ReadFile(m.file.Name())
	if err != nil || int64(len(got)) != size {
		m.t.Fatalf("seed %d: %d bytes, told %d: %v", seed, len(got), size, err)
	}
	if len(got) > slices.Max(m.sizes) || len(got) < slices.Min(m.sizes) {
		m.t.Fatalf("seed %d: size %d is none between those that it had: %d", seed, len(got), m.sizes)
	}
	for i := 0; i*sectorSize < len(got); i++ {
		sector := got[i*sectorSize : min(len(got), (i+1)*sectorSize)]
		if !slices.ContainsFunc(m.states[i], func(s []byte) bool { return bytes.Equal(s[:len(sector)], sector) }) {
			m.t.Fatalf("seed %d: sector %d is as it never was", seed, i)
		}
	}
	m.now = got
	m.sync()
	return loss
}

func TestLedgerAgainstModel(t *testing.T) {
	var sum Loss
	for seed := range uint64(300) {
		m, r := newModel(t), rand.New(rand.NewPCG(seed, 1))
		for range 4 {
			for range r.IntN(12) {
				m.random(r)
			}
			sum = sum.Plus(m.lose(r.Uint64()))
		}
	}
	if sum.Kept < 100 || sum.Lost < 100 || sum.Torn < 100 {
		t.Errorf("hardly everything happened: %+v", sum)
	}
}

// What makes a file longer comes back as a beginning of itself, not with a hole.
func TestTornAppend(t *testing.T) {
	sizes := map[int]bool{}
	for seed := range uint64(1500) {
		m := newModel(t)
		m.write(0, bytes.Repeat([]byte{1}, 700))
		m.sync()
		m.write(700, bytes.Repeat([]byte{2}, 3000))
		m.lose(seed)
		if i := bytes.IndexByte(m.now, 0); i >= 0 {
			t.Fatalf("seed %d: a hole at %d of %d", seed, i, len(m.now))
		}
		sizes[len(m.now)] = true
	}
	if !sizes[700] || !sizes[3700] || !sizes[1024] || !sizes[3584] || len(sizes) != 8 {
		t.Errorf("sizes seen: %v", sizes)
	}
}

// A change of what a cut has left is kept or lost by itself; what was written behind the cut cannot
// come back without it.
func TestLostCut(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(300) {
		m := newModel(t)
		m.write(0, bytes.Repeat([]byte{1}, 4*sectorSize))
		m.sync()
		m.resize(2 * sectorSize)
		m.write(0, bytes.Repeat([]byte{2}, sectorSize))
		m.write(2*sectorSize, bytes.Repeat([]byte{3}, sectorSize))
		m.lose(seed)
		what := []byte{}
		for i := 0; i*sectorSize < len(m.now); i++ {
			what = append(what, '0'+m.now[i*sectorSize])
		}
		seen[string(what)]++
	}
	for what := range seen {
		if !slices.Contains([]string{"1111", "2111", "11", "21", "113", "213"}, what) {
			t.Errorf("%s cannot be", what)
		}
	}
	if len(seen) != 6 {
		t.Errorf("seen %v", seen)
	}
}

func TestWriteBack(t *testing.T) {
	m := newModel(t)
	for range writeBack/(1<<20) + 1 {
		m.write(0, make([]byte, 1<<20))
	}
	if len(m.l.changes) != 0 || m.l.size != 1<<20 {
		t.Errorf("%d changes of %d bytes are remembered", len(m.l.changes), m.l.held)
	}
}
