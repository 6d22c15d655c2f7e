package peer

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// MaxFrame is the largest frame of a forward connection, in bytes: one command of the largest possible line, and
// some more.
const MaxFrame = 16 << 20

// ErrFrameSize: a frame's length is zero or above MaxFrame.
var ErrFrameSize = errors.New("frame of an impossible size")

// AppendFrame appends the header of a frame of n bytes.
func AppendFrame(dst []byte, n int) []byte { return binary.LittleEndian.AppendUint32(dst, uint32(n)) }

// ReadFrame reads one frame into new memory, which the caller may keep.
func (in *Incoming) ReadFrame() ([]byte, error) {
	n, err := in.head()
	if err != nil {
		return nil, err
	}
	if n == 0 || n > MaxFrame {
		return nil, fmt.Errorf("%w: %d bytes", ErrFrameSize, n)
	}
	frame, err := in.Append(nil, int(n))
	if err != nil {
		return nil, err
	}
	in.End()
	return frame, nil
}

// head begins a message that starts with its length.
func (in *Incoming) head() (uint32, error) {
	first, err := in.Begin()
	if err != nil {
		return 0, err
	}
	head := [4]byte{first}
	for i := 1; i < len(head); i++ {
		if head[i], err = in.ReadByte(); err != nil {
			return 0, err
		}
	}
	return binary.LittleEndian.Uint32(head[:]), nil
}
