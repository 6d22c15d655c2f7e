package fsm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/s2"
)

// The body of a snapshot is a sequence of chunks: length, CRC32C (little endian, four bytes each), and that many
// bytes of S2. A chunk holds whole records. A chunk of length 0 ends the body: a truncated file has none.
const (
	chunkSize = 1 << 20 // before compression
	chunkHead = 8
)

// ErrBadSnapshot: a snapshot's bytes are not the ones that were written.
var ErrBadSnapshot = errors.New("corrupt snapshot")

// chunkWriter collects records and writes them in chunks. It keeps the first error.
type chunkWriter struct {
	w    io.Writer
	buf  []byte
	comp []byte
	err  error
}

// flushFull writes a chunk if one is full. It is called between records.
func (c *chunkWriter) flushFull() {
	if len(c.buf) >= chunkSize {
		c.flush()
	}
}

func (c *chunkWriter) flush() {
	if len(c.buf) == 0 || c.err != nil {
		c.buf = c.buf[:0]
		return
	}
	body := s2.Encode(c.comp[:cap(c.comp)], c.buf)
	c.comp, c.buf = body, c.buf[:0]
	c.chunk(body)
}

func (c *chunkWriter) chunk(body []byte) {
	var head [chunkHead]byte
	binary.LittleEndian.PutUint32(head[:], uint32(len(body)))
	binary.LittleEndian.PutUint32(head[4:], crc32.Checksum(body, castagnoli))
	if c.err == nil {
		_, c.err = c.w.Write(head[:])
	}
	if c.err == nil && len(body) > 0 {
		_, c.err = c.w.Write(body)
	}
}

// finish writes what is left and the end mark.
func (c *chunkWriter) finish() error {
	c.flush()
	c.chunk(nil)
	return c.err
}

// The largest chunk for which memory is allocated: one record may exceed chunkSize by a key and a value, and S2 may
// enlarge what it cannot compress.
const (
	maxRecord = chunkSize + 2*maxValue
	maxChunk  = maxRecord + maxRecord/4
)

// chunkReader reads the chunks back.
type chunkReader struct {
	r   io.Reader
	raw []byte
	out []byte
}

// next returns the records of the next chunk, valid until it is called again, or io.EOF at the end.
func (c *chunkReader) next() ([]byte, error) {
	var head [chunkHead]byte
	if _, err := io.ReadFull(c.r, head[:]); err != nil {
		return nil, fmt.Errorf("%w: cut short: %w", ErrBadSnapshot, noEOF(err))
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n > maxChunk {
		return nil, fmt.Errorf("%w: a chunk of %d bytes", ErrBadSnapshot, n)
	}
	if cap(c.raw) < int(n) {
		c.raw = make([]byte, n)
	}
	raw := c.raw[:n]
	if _, err := io.ReadFull(c.r, raw); err != nil {
		return nil, fmt.Errorf("%w: cut short: %w", ErrBadSnapshot, noEOF(err))
	}
	if crc32.Checksum(raw, castagnoli) != binary.LittleEndian.Uint32(head[4:]) {
		return nil, fmt.Errorf("%w: checksum", ErrBadSnapshot)
	}
	if n == 0 {
		return nil, io.EOF
	}
	if size, err := s2.DecodedLen(raw); err != nil || size > maxRecord {
		return nil, fmt.Errorf("%w: compression", ErrBadSnapshot)
	}
	out, err := s2.Decode(c.out[:cap(c.out)], raw)
	if err != nil {
		return nil, fmt.Errorf("%w: compression: %w", ErrBadSnapshot, err)
	}
	c.out = out
	return out, nil
}

// noEOF keeps io.EOF from being mistaken for the end of the body.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
