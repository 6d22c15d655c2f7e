package storage

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"github.com/hashicorp/raft"
)

// A snapshot is a directory with its contents (state.bin) and their description (meta.json), which has a checksum
// of the contents but none of itself: a flipped bit in its index would lose the entries up to that index. So a
// checksum of the description is stored next to it. It is written and synced when the snapshot is begun, long
// before the directory gets the name of a finished one, so every finished snapshot has it. The size and the
// checksum of the contents are not known by then: they are not part of it, and are compared with the contents.
const (
	descriptionFile = "meta.json"
	contentsFile    = "state.bin"
	sumFile         = "meta.sum"
)

// describedIn reads the description in a snapshot's directory.
func describedIn(dir string) (raft.SnapshotMeta, error) {
	var m struct { // as Raft's store has it
		raft.SnapshotMeta
		CRC []byte
	}
	path := filepath.Join(dir, descriptionFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return m.SnapshotMeta, err
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m.SnapshotMeta, fmt.Errorf("%s: %w: %w", path, ErrDamaged, err)
	}
	return m.SnapshotMeta, nil
}

// descriptionSum is a checksum of what a description says, not of how it is written.
func descriptionSum(m raft.SnapshotMeta) string {
	text := fmt.Appendf(nil, "%d %q %d %d %x %d", m.Version, m.ID, m.Index, m.Term, m.Peers, m.ConfigurationIndex)
	for _, s := range m.Configuration.Servers {
		text = fmt.Appendf(text, " %d %q %q", s.Suffrage, s.ID, s.Address)
	}
	return fmt.Sprintf("%08x\n", crc32.Checksum(text, castagnoli))
}

// writeSum writes the checksum of the description in a snapshot's directory, synced.
func writeSum(dir string) error {
	m, err := describedIn(dir)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, sumFile), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(descriptionSum(m))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return syncPath(dir)
}

// checkDescription checks that a finished snapshot's description is what was written, and matches this directory
// and contents of this size. The code that opens the contents compares their checksum.
func checkDescription(dir string) error {
	m, err := describedIn(dir)
	if err != nil {
		return err
	}
	sum, err := os.ReadFile(filepath.Join(dir, sumFile))
	if err != nil {
		return err
	}
	contents, err := os.Stat(filepath.Join(dir, contentsFile))
	if err != nil {
		return err
	}
	path := filepath.Join(dir, descriptionFile)
	switch {
	case string(sum) != descriptionSum(m):
		return fmt.Errorf("%s: %w: its sum is wrong", path, ErrDamaged)
	case m.ID != filepath.Base(dir):
		return fmt.Errorf("%s: %w: it is of snapshot %q", path, ErrDamaged, m.ID)
	case m.Size != contents.Size():
		return fmt.Errorf("%s: %w: it is of %d bytes, there are %d", path, ErrDamaged, m.Size, contents.Size())
	}
	return nil
}
