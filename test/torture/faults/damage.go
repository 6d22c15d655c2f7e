package faults

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"ciderd/test/torture/judge"
	"ciderd/test/torture/rig"
)

// damage changes a file of a stopped node. The node may refuse to start, naming the file; or end
// later, when it meets the damage; or not meet it at all, and then whatever it serves is right. Where
// the daemon looks at every bit before it goes on, a meta page of raft.db or the header of a journal's file, it must refuse.
func damage(change func(random *rand.Rand, file string) error) func(*Round) error {
	return func(r *Round) error {
		n, err := r.target()
		if err != nil {
			return err
		}
		r.down(n)
		if err := n.Kill(); err != nil {
			return err
		}
		file := fileToDamage(r.Random, n)
		r.Say("%s: damaging %s", n.Name, file)
		before, err := metasOf(file)
		if err != nil {
			return err
		}
		if err := change(r.Random, file); err != nil {
			return err
		}
		after, err := metasOf(file)
		if err != nil {
			return err
		}
		return judgeDamaged(r, n, file, !bytes.Equal(before, after))
	}
}

// fileToDamage draws raft.db, one of the journal's, or one of the newest snapshot's: its contents, and what describes them.
func fileToDamage(random *rand.Rand, n *rig.Node) string {
	if journal, _ := filepath.Glob(filepath.Join(n.Disk.Data(), "journal.*")); len(journal) > 0 && random.IntN(3) == 0 {
		return journal[random.IntN(len(journal))]
	}
	s := n.Disk.Snapshots()
	if len(s) == 0 || random.IntN(2) == 0 {
		return filepath.Join(n.Disk.Data(), "raft.db")
	}
	names := []string{"state.bin", "meta.json", "meta.sum"}
	return filepath.Join(s[len(s)-1], names[random.IntN(len(names))])
}

// judgeDamaged starts the node; refuses: nothing but a refusal will do, and one that names the file.
func judgeDamaged(r *Round, n *rig.Node, file string, refuses bool) error {
	offset := n.Log.Size()
	if err := n.Start(); err != nil {
		return err
	}
	err := rig.Until(r.Ctx, rig.HealLimit, n.Name+" serves or ends with a damaged "+filepath.Base(file), func() error {
		if !n.Running() {
			return nil
		}
		return n.Serving()
	})
	verdict := error(nil)
	switch {
	case !n.Running() && refuses:
		r.Say("%s refused to start with a damaged meta page", n.Name)
		verdict = errors.Join(n.Log.EndedClearly(offset, file), n.NeedsPerson())
	case !n.Running():
		r.Say("%s refused to go on", n.Name)
		verdict = errors.Join(n.Log.EndedClearly(offset, n.Disk.Data()), n.NeedsPerson())
	case refuses:
		verdict = judge.Violationf("%s started with a damaged meta page in %s", n.Name, file)
	case err != nil && !r.Combined:
		verdict = err
	default:
		r.Say("%s serves with it", n.Name)
	}
	if verdict == nil && !r.Combined {
		verdict = r.flows(r.Cluster.Others(n)...)
	}
	// The way out, whatever it said: an empty directory. The damage must not be met in a later round.
	if err := errors.Join(n.Kill(), n.Disk.Wipe()); err != nil {
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

// A file of the journal begins with a header.
const headerBytes = 56

// metasOf is what raft.db's meta pages say, or the header of a journal's file; of any other file nothing. What counts entries
// and pages behind them in the meta pages' headers says nothing, and the daemon does not look at it.
func metasOf(file string) ([]byte, error) {
	if filepath.Base(file) != "raft.db" && !isJournal(file) {
		return nil, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if isJournal(file) {
		header := make([]byte, headerBytes)
		_, err := f.ReadAt(header, 0)
		return header, err
	}
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

func isJournal(file string) bool { return strings.HasPrefix(filepath.Base(file), "journal.") }

// flipBits turns one bit over in each of up to 256 places, all in blocks that are not empty; or a single
// one, in raft.db then mostly one of a meta page, and in the journal of a header.
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
		switch meta := int64(os.Getpagesize()); {
		case random.IntN(4) == 0:
		case filepath.Base(file) == "raft.db":
			draw = func() int64 { return random.Int64N(metaPages)*meta + random.Int64N(metaBytes) }
		case isJournal(file):
			draw = func() int64 { return random.Int64N(headerBytes) }
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
