package archive

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

// Writer writes a backup. Its methods return the first error that there was. It is for one goroutine.
type Writer struct {
	chunks chunks
	totals Totals
}

// NewWriter begins a backup. Of h it takes Release, Cluster, Node, Time and Entries.
func NewWriter(w io.Writer, h Head) (*Writer, error) {
	b := &Writer{chunks: chunks{w: w, sum: sha256.New()}}
	b.chunks.write(sealed(format, h.Release))
	b.record(tagHead)
	b.text([]byte(h.Cluster))
	b.text([]byte(h.Node))
	b.number(h.Time)
	b.number(int64(h.Entries))
	return b, b.next()
}

// sealed is the head of the file.
func sealed(version byte, release string) []byte {
	release = release[:min(len(release), maxRelease)]
	head := append([]byte(magic), version)
	head = append(binary.AppendUvarint(head, uint64(len(release))), release...)
	return binary.LittleEndian.AppendUint32(head, crc32.Checksum(head, castagnoli))
}

// User begins a user.
func (w *Writer) User(u *User) error {
	w.totals.Users++
	w.record(tagUser)
	w.text(u.Name)
	w.text(u.Hash)
	locked := int64(0)
	if u.Locked {
		locked = 1
	}
	w.number(locked)
	w.number(u.Quota)
	w.number(u.Reserve)
	w.chunks.buf = binary.AppendUvarint(w.chunks.buf, u.Version)
	return w.next()
}

// Reply adds an id of ONCE to the user.
func (w *Writer) Reply(r *Reply) error {
	w.totals.Replies++
	w.record(tagReply)
	w.text(r.ID)
	w.number(r.At)
	w.number(int64(r.Kind))
	w.number(r.N)
	return w.next()
}

// Item adds an item to the user.
func (w *Writer) Item(i *Item) error {
	w.totals.Items++
	w.totals.Bytes += int64(len(i.Key) + len(i.Value))
	w.record(tagItem)
	w.text(i.Key)
	w.text(i.Value)
	w.number(i.Deadline)
	return w.next()
}

// Close ends the backup: without that it is none. It returns what there is in it.
func (w *Writer) Close() (Totals, error) {
	w.record(tagEnd)
	w.number(w.totals.Users)
	w.number(w.totals.Replies)
	w.number(w.totals.Items)
	w.number(w.totals.Bytes)
	w.chunks.end()
	if w.chunks.err != nil {
		return w.totals, w.chunks.err
	}
	w.chunks.err = errors.New("the backup has been closed")
	return w.totals, nil
}

func (w *Writer) record(tag byte) { w.chunks.buf = append(w.chunks.buf, tag) }
func (w *Writer) number(n int64)  { w.chunks.buf = binary.AppendVarint(w.chunks.buf, n) }
func (w *Writer) text(text []byte) {
	w.chunks.buf = append(binary.AppendUvarint(w.chunks.buf, uint64(len(text))), text...)
}

// next ends a record.
func (w *Writer) next() error {
	w.chunks.full()
	return w.chunks.err
}
