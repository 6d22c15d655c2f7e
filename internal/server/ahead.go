package server

import "ciderd/internal/session"

// ahead has a session look up the keys of GETs before these are done.
type ahead struct {
	warm int // pending GETs whose keys are warm
}

// look is called before each GET. It looks at those that wait after this one, some at a time.
func (a *ahead) look(in input, s *session.Session) {
	switch {
	case a.warm > 0:
		a.warm--
	case in.Buffered() > 0:
		a.next(in, s)
	}
}

// next is separate because of its stack, which a client that asks one thing at a time does not need.
//
//go:noinline
func (a *ahead) next(in input, s *session.Session) {
	var waiting [session.WarmAtOnce][]byte
	keys := in.GetsAhead(waiting[:0])
	if s.Warm(keys) {
		a.warm = len(keys)
	}
}
