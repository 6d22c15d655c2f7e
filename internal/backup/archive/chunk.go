package archive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/s2"
)

const (
	chunkSize = 256 << 10 // before compression; one record may go beyond it
	chunkHead = 8

	// The largest chunk that memory is allocated for: S2 may enlarge what it cannot compress.
	maxRecords = chunkSize + maxValue + 64<<10
	maxChunk   = maxRecords + maxRecords/4
)

// chunks writes records in chunks, and sums all that it writes. It keeps the first error.
type chunks struct {
	w    io.Writer
	sum  hash.Hash
	buf  []byte // records that are in no chunk yet
	comp []byte
	err  error
}

// full writes a chunk if there is enough for one. It is called between records.
func (c *chunks) full() {
	if len(c.buf) >= chunkSize {
		c.flush()
	}
}

func (c *chunks) flush() {
	if len(c.buf) == 0 {
		return
	}
	c.comp = s2.Encode(c.comp[:cap(c.comp)], c.buf)
	c.buf = c.buf[:0]
	c.chunk(c.comp)
}

func (c *chunks) chunk(body []byte) {
	var head [chunkHead]byte
	binary.LittleEndian.PutUint32(head[:], uint32(len(body)))
	binary.LittleEndian.PutUint32(head[4:], crc32.Checksum(body, castagnoli))
	c.write(head[:])
	c.write(body)
}

func (c *chunks) write(b []byte) {
	if c.err == nil && len(b) > 0 {
		c.sum.Write(b)
		_, c.err = c.w.Write(b)
	}
}

// end writes what is left, the end of the chunks and the checksum.
func (c *chunks) end() {
	c.flush()
	c.chunk(nil)
	sum := c.sum.Sum(nil)
	c.write(sum)
}

// source reads chunks back, and sums all that it reads.
type source struct {
	r   io.Reader
	sum hash.Hash
	raw []byte
	out []byte
}

// fill reads exactly len(b) bytes.
func (s *source) fill(b []byte) error {
	switch _, err := io.ReadFull(s.r, b); {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: it is cut short", ErrDamaged)
	case err != nil:
		return err
	}
	s.sum.Write(b)
	return nil
}

// next returns the records of the next chunk, valid until it is called again, or io.EOF behind the last one.
func (s *source) next() ([]byte, error) {
	var head [chunkHead]byte
	if err := s.fill(head[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n > maxChunk {
		return nil, fmt.Errorf("%w: a chunk of %d bytes", ErrDamaged, n)
	}
	if cap(s.raw) < int(n) {
		s.raw = make([]byte, n)
	}
	raw := s.raw[:n]
	if err := s.fill(raw); err != nil {
		return nil, err
	}
	if crc32.Checksum(raw, castagnoli) != binary.LittleEndian.Uint32(head[4:]) {
		return nil, fmt.Errorf("%w: the checksum of a chunk", ErrDamaged)
	}
	if n == 0 {
		return nil, io.EOF
	}
	return s.expand(raw)
}

func (s *source) expand(raw []byte) (records []byte, err error) {
	if size, err := s2.DecodedLen(raw); err != nil || size == 0 || size > maxRecords {
		return nil, fmt.Errorf("%w: a chunk's compression", ErrDamaged)
	}
	if s.out, err = s2.Decode(s.out[:cap(s.out)], raw); err != nil {
		return nil, fmt.Errorf("%w: a chunk's compression", ErrDamaged)
	}
	return s.out, nil
}

// finish reads the checksum over all, and looks that nothing comes after it.
func (s *source) finish() error {
	want := s.sum.Sum(nil)
	got := make([]byte, len(want))
	if err := s.fill(got); err != nil {
		return err
	}
	if string(got) != string(want) {
		return fmt.Errorf("%w: the checksum over all", ErrDamaged)
	}
	switch n, err := io.ReadFull(s.r, got[:1]); {
	case n > 0:
		return fmt.Errorf("%w: something is behind its end", ErrDamaged)
	case !errors.Is(err, io.EOF):
		return err
	}
	return nil
}
