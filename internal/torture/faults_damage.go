package torture

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// damage changes a file of a stopped node. The node may refuse to start, naming the file; or end
// later, when it meets the damage; or not meet it at all, and then whatever it serves is right. Where
// the daemon looks at every bit before it goes on, a meta page of raft.db, it must refuse.
func damage(change func(random *rand.Rand, file string) error) func(*round) error {
	return func(r *round) error {
		n, err := r.target()
		if err != nil {
			return err
		}
		r.down(n)
		if err := n.kill(); err != nil {
			return err
		}
		file := n.fileToDamage(r.random)
		r.say("%s: damaging %s", n.name, file)
		before, err := metasOf(file)
		if err != nil {
			return err
		}
		if err := change(r.random, file); err != nil {
			return err
		}
		after, err := metasOf(file)
		if err != nil {
			return err
		}
		return n.judgeDamaged(r, file, !bytes.Equal(before, after))
	}
}

// fileToDamage draws raft.db or one of the newest snapshot's: its contents, and what describes them.
func (n *node) fileToDamage(random *rand.Rand) string {
	s := n.snapshots()
	if len(s) == 0 || random.IntN(2) == 0 {
		return filepath.Join(n.disk.data(), "raft.db")
	}
	names := []string{"state.bin", "meta.json", "meta.sum"}
	return filepath.Join(s[len(s)-1], names[random.IntN(len(names))])
}

// judgeDamaged starts the node; refuses: nothing but a refusal will do, and one that names the file.
func (n *node) judgeDamaged(r *round, file string, refuses bool) error {
	offset := n.logSize()
	if err := n.start(); err != nil {
		return err
	}
	err := until(r.ctx, healLimit, n.name+" serves or ends with a damaged "+filepath.Base(file), func() error {
		if !n.running() {
			return nil
		}
		return n.serving()
	})
	verdict := error(nil)
	switch {
	case !n.running() && refuses:
		r.say("%s refused to start with a damaged meta page", n.name)
		verdict = errors.Join(n.endedClearly(offset, file), n.needsPerson())
	case !n.running():
		r.say("%s refused to go on", n.name)
		verdict = errors.Join(n.endedClearly(offset, n.disk.data()), n.needsPerson())
	case refuses:
		verdict = violationf("%s started with a damaged meta page in %s", n.name, file)
	case err != nil && !r.combined:
		verdict = err
	default:
		r.say("%s serves with it", n.name)
	}
	if verdict == nil && !r.combined {
		verdict = r.flows(r.cluster.others(n)...)
	}
	// The way out, whatever it said: an empty directory. The damage must not be met in a later round.
	if err := errors.Join(n.kill(), n.disk.wipe()); err != nil {
		return err
	}
	return errors.Join(verdict, r.back(n))
}

func truncateFile(random *rand.Rand, file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	return os.Truncate(file, int64(float64(info.Size())*(0.1+0.8*random.Float64())))
}

// raft.db begins with its meta pages, of which so many bytes mean something.
const (
	metaPages = 2
	metaBytes = 80
	// in these there are only zeros:
	countsFrom, countsTo = 10, 16
)

// metasOf is what raft.db's meta pages say, of any other file nothing. What counts entries and pages behind
// them in their headers says nothing, and the daemon does not look at it.
func metasOf(file string) ([]byte, error) {
	if filepath.Base(file) != "raft.db" {
		return nil, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	var metas []byte
	for page := range metaPages {
		var b [metaBytes]byte
		if _, err := f.ReadAt(b[:], int64(page*os.Getpagesize())); err != nil && !errors.Is(err, io.EOF) {
			return nil, err // where it was cut short the rest is zeros
		}
		metas = append(append(metas, b[:countsFrom]...), b[countsTo:]...)
	}
	return metas, nil
}

// flipBits turns one bit over in each of up to 256 places, all in blocks that are not empty; or a single
// one, in raft.db then mostly one of a meta page.
func flipBits(random *rand.Rand, file string) error {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Mode().Type()&fs.ModeType != 0 || info.Size() == 0 {
		return fmt.Errorf("%s is no file with contents", file)
	}
	most, draw := 256, func() int64 { return random.Int64N(info.Size()) }
	if random.IntN(2) == 0 {
		most = 1
		if meta := int64(os.Getpagesize()); filepath.Base(file) == "raft.db" && random.IntN(4) > 0 {
			draw = func() int64 { return random.Int64N(metaPages)*meta + random.Int64N(metaBytes) }
		}
	}
	var b [1]byte
	for turned, tries := 0, 0; turned < most && tries < 1<<16; tries++ {
		at := draw()
		if _, err := f.ReadAt(b[:], at); err != nil {
			return err
		}
		if b[0] == 0 {
			continue
		}
		b[0] ^= 1 << random.UintN(8)
		if _, err := f.WriteAt(b[:], at); err != nil {
			return err
		}
		turned++
	}
	return f.Sync()
}
