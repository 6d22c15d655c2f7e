package archive

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Visitor is told what there is in a backup, in its order. What it is given belongs to the reader, and is valid until it
// returns. An error of its ends the reading. Functions that are nil are not called.
type Visitor struct {
	Head  func(Head) error
	User  func(User) error
	Reply func(Reply) error
	Item  func(Item) error
}

// Read reads a backup to its end. Only if it returns no error all that was told stands in the file as it was written: the
// checksum over all comes last. The error wraps ErrForeign or ErrDamaged, is one of r or the visitor, or says which
// release reads the file; release is the one that runs.
func Read(r io.Reader, release string, v Visitor) (Head, Totals, error) {
	b := &reader{source: source{r: bufio.NewReaderSize(r, 64<<10), sum: sha256.New()}, visitor: v}
	if err := b.readHead(release); err != nil {
		return b.head, b.totals, err
	}
	for {
		records, err := b.source.next()
		switch {
		case errors.Is(err, io.EOF) && !b.ended:
			return b.head, b.totals, fmt.Errorf("%w: it has no end", ErrDamaged)
		case errors.Is(err, io.EOF):
			return b.head, b.totals, b.source.finish()
		case err != nil:
			return b.head, b.totals, err
		}
		if err := b.each(records); err != nil {
			return b.head, b.totals, err
		}
	}
}

type reader struct {
	source  source
	visitor Visitor
	head    Head
	begun   bool // the head has been read
	user    bool // a user has been
	ended   bool
	totals  Totals
}

func (b *reader) readHead(release string) error {
	start := make([]byte, len(magic)+2)
	if err := b.source.fill(start); err != nil || string(start[:len(magic)]) != magic {
		if err != nil && !errors.Is(err, ErrDamaged) {
			return err
		}
		return ErrForeign
	}
	version, n := start[len(magic)], int(start[len(magic)+1])
	if n > maxRelease { // so its length is one byte
		return fmt.Errorf("%w: its head", ErrDamaged)
	}
	rest := make([]byte, n+4)
	if err := b.source.fill(rest); err != nil {
		return err
	}
	b.head.Format, b.head.Release = int(version), string(rest[:n])
	switch {
	case version == 0 || !bytes.Equal(sealed(version, b.head.Release), append(start, rest...)):
		return fmt.Errorf("%w: its head", ErrDamaged)
	case version > format:
		return fmt.Errorf("a backup of format %d, which this release (%s, format %d) cannot read: install ciderd %s or later",
			version, release, format, b.head.Release)
	}
	return nil
}

// each reads the records of a chunk.
func (b *reader) each(records []byte) error {
	for f := (fields{rest: records}); len(f.rest) > 0; {
		tag := f.rest[0]
		f.rest = f.rest[1:]
		if b.ended || b.begun == (tag == tagHead) || !b.user && (tag == tagReply || tag == tagItem) {
			return fmt.Errorf("%w: record %q is not in its place", ErrDamaged, tag)
		}
		if err := b.record(tag, &f); err != nil {
			return err
		}
	}
	return nil
}

func (b *reader) record(tag byte, f *fields) error {
	var tell func() error
	switch tag {
	case tagHead:
		b.begun = true
		b.head.Cluster, b.head.Node = string(f.text(maxText)), string(f.text(maxText))
		b.head.Time, b.head.Entries = f.atLeast(0), int(f.upTo(1<<8))
		tell = told(b.visitor.Head, b.head)
	case tagUser:
		b.user = true
		b.totals.Users++
		u := User{Name: f.some(maxName), Hash: f.text(maxName), Locked: f.upTo(1) == 1, Quota: f.atLeast(0), Reserve: f.atLeast(0), Version: f.counter()}
		tell = told(b.visitor.User, u)
	case tagReply:
		b.totals.Replies++
		tell = told(b.visitor.Reply, Reply{ID: f.some(maxName), At: f.number(), Kind: uint8(f.upTo(1<<8 - 1)), N: f.number()})
	case tagItem:
		i := Item{Key: f.some(maxKey), Value: f.text(maxValue), Deadline: f.number()}
		b.totals.Items++
		b.totals.Bytes += int64(len(i.Key) + len(i.Value))
		tell = told(b.visitor.Item, i)
	case tagEnd:
		b.ended = true
		f.bad = f.bad || b.totals != Totals{Users: f.number(), Replies: f.number(), Items: f.number(), Bytes: f.number()}
	default:
		f.bad = true
	}
	switch {
	case f.bad:
		return fmt.Errorf("%w: record %q", ErrDamaged, tag)
	case tell != nil:
		return tell()
	}
	return nil
}

// told returns what tells fn of v; nil: nobody is to be told.
func told[V any](fn func(V) error, v V) func() error {
	if fn == nil {
		return nil
	}
	return func() error { return fn(v) }
}

// fields reads fields from the front of rest; bad stays set after the first one that is wrong.
type fields struct {
	rest []byte
	bad  bool
}

func (f *fields) number() int64 {
	n, size := binary.Varint(f.rest)
	f.skip(size)
	return n
}

func (f *fields) counter() uint64 {
	n, size := binary.Uvarint(f.rest)
	f.skip(size)
	return n
}

func (f *fields) skip(size int) {
	if size <= 0 {
		f.bad, f.rest = true, nil
		return
	}
	f.rest = f.rest[size:]
}

func (f *fields) atLeast(least int64) int64 {
	n := f.number()
	f.bad = f.bad || n < least
	return n
}

// upTo is a number from 0 to most.
func (f *fields) upTo(most int64) int64 {
	n := f.atLeast(0)
	f.bad = f.bad || n > most
	return n
}

func (f *fields) text(most uint64) []byte {
	n := f.counter()
	if n > most || n > uint64(len(f.rest)) {
		f.bad, f.rest = true, nil
		return nil
	}
	text := f.rest[:n:n]
	f.rest = f.rest[n:]
	return text
}

// some is a text that is not empty.
func (f *fields) some(most uint64) []byte {
	text := f.text(most)
	f.bad = f.bad || len(text) == 0
	return text
}
