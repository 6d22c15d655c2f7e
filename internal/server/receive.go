package server

import (
	"io"
	"os"
	"syscall"
)

// poll is a Read that does not block, with its result; try is made once, as a closure costs memory.
type poll struct {
	p   []byte
	n   int
	err error
	try func(fd uintptr) bool
}

// canPoll reports whether Read can do without blocking.
func (k *socket) canPoll() bool { return k.raw != nil && k.ending.Load() == endNone }

// Read returns what has arrived. If it must not block and nothing has arrived, it returns os.ErrDeadlineExceeded.
func (k *socket) Read(p []byte) (int, error) {
	if !k.polling {
		return k.conn.Read(p)
	}
	if k.poll.try == nil {
		k.poll.try = k.poll.read
	}
	k.poll.p = p
	if err := k.raw.Read(k.poll.try); err != nil {
		return 0, err
	}
	switch n, err := k.poll.n, k.poll.err; {
	case err != nil:
		return 0, os.ErrDeadlineExceeded // if it is another error, the next blocking Read returns it
	case n == 0:
		return 0, io.EOF
	default:
		return n, nil
	}
}

func (p *poll) read(fd uintptr) bool {
	p.n, p.err = syscall.Read(int(fd), p.p)
	p.p = nil
	return true
}
