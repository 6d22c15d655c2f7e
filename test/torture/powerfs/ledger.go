package powerfs

import (
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
)

const (
	sectorSize = 512      // what a disk writes whole or not at all, in bytes
	writeBack  = 64 << 20 // bytes of one file that nobody synced, from which on they count as synced
)

// ledger is what a disk holds for certain of a file that was changed since its last sync.
type ledger struct {
	size    int64            // of the file, when it was synced
	old     map[int64][]byte // by number: sectors as they were then; shorter where the file ended
	changes []change         // since then, in order
	held    int64            // bytes in changes
}

// change is a write, a cut or a growth.
type change struct {
	off, end int64  // what it touched, in bytes
	data     []byte // nil: no write
	cut      bool   // the file was longer before
}

// Loss counts what became, in a power loss, of what was not synced.
type Loss struct {
	Kept, Lost, Torn     int // writes and changes of size
	NamesKept, NamesLost int // creates, renames, removals
}

// Plus adds two losses up.
func (l Loss) Plus(m Loss) Loss {
	return Loss{l.Kept + m.Kept, l.Lost + m.Lost, l.Torn + m.Torn, l.NamesKept + m.NamesKept, l.NamesLost + m.NamesLost}
}

func (l *ledger) synced(size int64) { *l = ledger{size: size} }

// before must be told of each change before it is made: it saves what is there.
func (l *ledger) before(f io.ReaderAt, off, end int64) error {
	low := off / sectorSize * sectorSize
	high := min((end+sectorSize-1)/sectorSize*sectorSize, l.size)
	if low >= high {
		return nil
	}
	was := make([]byte, high-low)
	if n, err := f.ReadAt(was, low); err != nil && !errors.Is(err, io.EOF) {
		return err
	} else if n < len(was) {
		was = was[:n] // the file is shorter now; then its sectors there have been saved
	}
	if l.old == nil {
		l.old = map[int64][]byte{}
	}
	for s := low / sectorSize; s*sectorSize < high; s++ {
		at := min((s*sectorSize)-low, int64(len(was)))
		if _, saved := l.old[s]; !saved {
			l.old[s] = was[at:min(at+sectorSize, int64(len(was)))]
		}
	}
	return nil
}

// wrote is told of data that was written, into a file of size bytes before.
func (l *ledger) wrote(off int64, data []byte, size int64) {
	end := off + int64(len(data))
	l.changes = append(l.changes, change{off: off, end: end, data: append([]byte{}, data...)})
	l.held += int64(len(data))
	if size = max(size, end); l.held > writeBack {
		l.synced(size)
	}
}

// resized is told of a file that was from bytes long and is to.
func (l *ledger) resized(from, to int64) {
	if from == to {
		return
	}
	l.changes = append(l.changes, change{off: min(from, to), end: max(from, to), cut: to < from})
}

// lose decides what is on the disk after a power loss and makes the file so. It returns its size.
func (l *ledger) lose(random *rand.Rand, f *os.File) (int64, Loss, error) {
	d := decision{random: random, kept: float64(random.IntN(5)) / 4, size: l.size, limit: math.MaxInt64, last: map[int64]int{}}
	for i, c := range l.changes {
		switch {
		case c.data != nil:
			d.write(i, c)
		case c.cut:
			d.cut(i, c)
		default:
			d.grow(c)
		}
	}
	err := f.Truncate(l.size)
	for s, text := range l.old {
		_, failed := f.WriteAt(text, s*sectorSize)
		err = errors.Join(err, failed)
	}
	for i, c := range l.changes {
		err = errors.Join(err, c.apply(f, func(s int64) bool { last, ok := d.last[s]; return ok && i <= last }))
	}
	return d.size, d.loss, errors.Join(err, f.Truncate(d.size))
}

// decision is drawn for one file.
type decision struct {
	random *rand.Rand
	kept   float64 // how likely a change is kept
	size   int64   // of the file
	limit  int64   // nothing behind it is kept: a cut there was lost
	last   map[int64]int
	loss   Loss
}

func (d *decision) draw() bool { return d.random.Float64() < d.kept }

// write keeps all of a write, nothing, or some of its sectors; of those that make the file longer, a
// beginning.
func (d *decision) write(i int, c change) {
	torn, whole := d.random.IntN(3) == 0, d.draw()
	was, stopped := d.size, false
	var kept, lost int
	for s := c.off / sectorSize; s*sectorSize < c.end; s++ {
		end := min(c.end, (s+1)*sectorSize)
		keep := whole
		if torn {
			keep = d.draw()
		}
		if longer := end > was; longer {
			keep = keep && !stopped
			stopped = !keep
		}
		if !keep || (s+1)*sectorSize > d.limit {
			lost++
			continue
		}
		kept++
		d.last[s] = i
		d.size = max(d.size, end)
	}
	d.count(kept, lost)
}

// cut keeps a cut or loses it, and then whatever came behind it later.
func (d *decision) cut(i int, c change) {
	if d.limit < math.MaxInt64 || !d.draw() {
		d.limit = min(d.limit, c.off)
		d.count(0, 1)
		return
	}
	for s := c.off / sectorSize; s*sectorSize < c.end; s++ {
		d.last[s] = i
	}
	d.size = min(d.size, c.off)
	d.count(1, 0)
}

func (d *decision) grow(c change) {
	if d.limit < math.MaxInt64 || !d.draw() {
		d.count(0, 1)
		return
	}
	d.size = max(d.size, c.end)
	d.count(1, 0)
}

func (d *decision) count(kept, lost int) {
	switch {
	case lost == 0:
		d.loss.Kept++
	case kept == 0:
		d.loss.Lost++
	default:
		d.loss.Torn++
	}
}

// apply does a change again, in the sectors for which kept is true.
func (c change) apply(f *os.File, kept func(sector int64) bool) error {
	data := c.data
	switch {
	case c.cut:
		data = make([]byte, c.end-c.off)
	case data == nil:
		return nil // growth
	}
	for s := c.off / sectorSize; s*sectorSize < c.end; {
		if !kept(s) {
			s++
			continue
		}
		from := max(c.off, s*sectorSize)
		for s*sectorSize < c.end && kept(s) {
			s++
		}
		if _, err := f.WriteAt(data[from-c.off:min(c.end, s*sectorSize)-c.off], from); err != nil {
			return err
		}
	}
	return nil
}
