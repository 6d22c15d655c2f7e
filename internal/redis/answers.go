package redis

import (
	"ciderd/internal/fsm"
	"ciderd/internal/protocol"
	"ciderd/internal/protocol/resp"
	"ciderd/internal/session"
)

// The functions here turn results into replies. Each is a session.Answer: it reports false for what it does not know,
// which is then answered by its kind.

// writer is where a session's answers go.
func writer(to protocol.Reply) *resp.Writer { return &to.(*reply).s.w }

// number answers with a number whatever says whether something was done.
func number(to protocol.Reply, r fsm.Result) bool {
	switch r.Kind {
	case fsm.KindOK:
		to.Int(1)
	case fsm.KindExists, fsm.KindNotFound, fsm.KindNil:
		to.Int(0)
	default:
		return false
	}
	return true
}

// value answers with a value, or that there is none.
func value(to protocol.Reply, r fsm.Result) bool {
	switch {
	case r.Kind == fsm.KindNil:
		writer(to).Null()
	case r.Kind == fsm.KindValue && r.Details != nil:
		writer(to).Bulk(r.Details.Item.Value)
	default:
		return refused(to, r)
	}
	return true
}

// done answers with OK, or null if a condition did not hold.
func done(to protocol.Reply, r fsm.Result) bool {
	switch r.Kind {
	case fsm.KindOK:
		writer(to).OK()
	case fsm.KindNil, fsm.KindExists, fsm.KindNotFound:
		writer(to).Null()
	default:
		return false
	}
	return true
}

// moved answers a RENAME.
func moved(to protocol.Reply, r fsm.Result) bool {
	switch r.Kind {
	case fsm.KindNotFound:
		writer(to).Error(string(resp.ErrNoKey))
	default:
		return refused(to, r)
	}
	return true
}

// refused answers the refusals that only operations of Redis have.
func refused(to protocol.Reply, r fsm.Result) bool {
	switch r.Kind {
	case fsm.KindNotAFloat:
		writer(to).Error(string(resp.ErrNotFloat))
	case fsm.KindNotFinite:
		writer(to).Error(string(resp.ErrNaN))
	case fsm.KindSameKey:
		writer(to).Error(string(resp.ErrSameObject))
	default:
		return false
	}
	return true
}

// ifThere answers with an error if the item is there, and else that it is not.
func ifThere(err resp.Error) session.Answer {
	return func(to protocol.Reply, r fsm.Result) bool {
		switch r.Kind {
		case fsm.KindValue:
			writer(to).Error(string(err))
		case fsm.KindNil:
			writer(to).Null()
		default:
			return false
		}
		return true
	}
}
