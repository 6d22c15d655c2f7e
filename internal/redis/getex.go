package redis

import (
	"ciderd/internal/fsm"
	"ciderd/internal/protocol/resp"
	"ciderd/internal/session"
)

// badInteger and badExpiry answer a GETEX whose time is wrong.
var (
	badInteger = ifThere(resp.ErrNotInteger)
	badExpiry  = ifThere("ERR invalid expire time in 'getex' command")
)

// getEx is a look if its time is wrong: that is answered only if the key is there.
func getEx(s *Session, c *resp.Command, args [][]byte, w *fsm.Command) (session.Answer, error) {
	r, err := resp.ParseGetEx(args)
	if err != nil {
		return nil, err
	}
	w.Op, w.Key = fsm.OpGetExpire, r.Key
	if r.Expiry.Kind == resp.Persist {
		w.Flags = fsm.FlagPersist
	}
	switch err := s.expiry(c, &r.Expiry, w); err {
	case nil:
		return value, nil
	case resp.ErrNotInteger:
		w.Op = fsm.OpLook
		return badInteger, nil
	default:
		w.Op = fsm.OpLook
		return badExpiry, nil
	}
}

// getExReads answers a GETEX that changes nothing: it has no option, or a wrong one.
func getExReads(s *Session, c *resp.Command, args [][]byte) bool {
	r, err := resp.ParseGetEx(args)
	var w fsm.Command
	if err == nil {
		err = s.expiry(c, &r.Expiry, &w)
	} else {
		s.fail(err)
		return true
	}
	if err == nil && r.Expiry.Kind != resp.NoExpiry {
		return false
	}
	if !s.direct.Settle(false) {
		return true
	}
	it, there, alive := s.direct.Get(r.Key)
	switch {
	case !alive:
	case there && err != nil:
		s.w.Error(err.Error())
	default:
		s.direct.Pin(len(it.Value), false)
		defer s.direct.Pin(0, false)
		get(s, c, args, it, there)
	}
	return true
}
