package session

import (
	"context"
	"slices"
	"testing"

	"ciderd/internal/auth"
	"ciderd/internal/fsm"
	"ciderd/internal/protocol"
)

// The answers that are hard to bring about from outside.
func TestAnswers(t *testing.T) {
	w := start(t, Config{}, Bounds{})
	kind := func(k fsm.Kind) func(*Session) {
		return func(s *Session) { s.answers.result(fsm.Result{Kind: k}) }
	}
	login := func(err error) func(*Session) { return func(s *Session) { s.failLogin(err) } }
	inSession := func(err error) func(*Session) {
		return func(s *Session) {
			s.writes.user = 1
			s.failLogin(err)
			s.writes.user = 0
		}
	}
	for name, step := range map[string]struct {
		answer func(*Session)
		code   protocol.Code
		ends   bool
	}{
		"number":            {kind(fsm.KindNotANumber), protocol.NotANumber, false},
		"overflow":          {kind(fsm.KindOverflow), protocol.Overflow, false},
		"value":             {kind(fsm.KindValueTooLarge), protocol.ValueTooLarge, false},
		"memory":            {kind(fsm.KindMemoryFull), protocol.MemoryFull, false},
		"quota":             {kind(fsm.KindQuota), protocol.Quota, false},
		"limit":             {kind(fsm.KindAtLimit), protocol.MemoryFull, false},
		"too much copied":   {kind(fsm.KindBusy), protocol.Busy, false},
		"once":              {kind(fsm.KindOnceFull), protocol.Quota, false},
		"signup":            {kind(fsm.KindSignupFull), protocol.Quota, false},
		"exists":            {kind(fsm.KindUserExists), protocol.UserExists, false},
		"auth":              {kind(fsm.KindAuthFailed), protocol.AuthFailed, false},
		"ended":             {kind(fsm.KindSessionEnded), protocol.SessionEnded, true},
		"no result":         {kind(fsm.KindNone), protocol.Internal, false},
		"bcrypt is busy":    {login(auth.ErrBusy), protocol.Busy, false},
		"a later release":   {kind(fsm.KindSameKey + 1), protocol.Internal, false},
		"nothing":           {kind(fsm.KindNil), protocol.Internal, false}, // no command of this protocol has it
		"a value":           {kind(fsm.KindValue), protocol.Internal, false},
		"a transaction":     {kind(fsm.KindExec), protocol.Internal, false},
		"a view":            {kind(fsm.KindView), protocol.Internal, false},
		"not a float":       {kind(fsm.KindNotAFloat), protocol.Internal, false},
		"not finite":        {kind(fsm.KindNotFinite), protocol.Internal, false},
		"the same key":      {kind(fsm.KindSameKey), protocol.Internal, false},
		"an upgrade":        {kind(fsm.KindUnread), protocol.UnknownCommand, false},
		"bad hash":          {login(auth.ErrBadHash), protocol.Internal, false},
		"closing":           {login(context.Canceled), protocol.ShuttingDown, true},
		"late":              {login(context.DeadlineExceeded), protocol.LoginTimeout, true},
		"late in a session": {inSession(context.DeadlineExceeded), protocol.Busy, false},
	} {
		p := w.open()
		step.answer(p.Session)
		if want := []string{"error " + string(step.code)}; !slices.Equal(p.said, want) {
			t.Errorf("%s: answered %q, want %q", name, p.said, want)
		}
		if p.Over() != step.ends {
			t.Errorf("%s: the session ends: %v", name, p.Over())
		}
	}
}
