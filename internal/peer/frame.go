package peer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// MaxFrame is the largest frame of a forward connection, in bytes: one command of the largest
// line there can be, and some.
const MaxFrame = 16 << 20

// ErrFrameSize: a frame said that it is empty or longer than any is.
var ErrFrameSize = errors.New("frame of an impossible size")

// AppendFrame appends the head of a frame of n bytes.
func AppendFrame(dst []byte, n int) []byte { return binary.LittleEndian.AppendUint32(dst, uint32(n)) }

// ReadFrame reads one frame into memory of its own, which the caller may keep.
func ReadFrame(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n == 0 || n > MaxFrame {
		return nil, fmt.Errorf("%w: %d bytes", ErrFrameSize, n)
	}
	frame := make([]byte, n)
	_, err := io.ReadFull(r, frame)
	return frame, err
}
