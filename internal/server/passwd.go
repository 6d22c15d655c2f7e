package server

import (
	"bytes"
	"context"
	"errors"

	"ciderd/internal/auth"
	"ciderd/internal/fsm"
	"ciderd/internal/protocol"
)

// passwd changes the user's password. All other sessions of the user end with that, on every node;
// this one goes on.
func (s *session) passwd() {
	old, changed, bare := s.req.Password, s.req.NewPassword, s.req.BarePassword
	if old == nil {
		answer, ok := s.ask("Enter old password: ", true)
		if !ok {
			return
		}
		old = bytes.Clone(answer)
		if changed, ok = s.ask("Enter new password: ", true); !ok {
			return
		}
	}
	if !s.srv.node.Ready() {
		s.fail(protocol.Loading, loading)
		return
	}
	if err := errors.Join(auth.ValidPassword(old), auth.ValidNewPassword(changed)); err != nil {
		s.failAuth(err)
		return
	}
	ctx, cancel := s.patience()
	defer cancel()
	user, ok := s.verified(ctx, old, bare)
	if !ok {
		return
	}
	hash, err := s.srv.hasher.Hash(ctx, s.origin, changed)
	if err != nil {
		s.failAuth(err)
		return
	}
	s.changePassword(user, hash, changed)
}

// changePassword has hash, which was made of password, stored.
func (s *session) changePassword(user fsm.User, hash, password []byte) {
	s.srv.users.changing(s)
	r, ok := s.decide(&fsm.Command{Op: fsm.OpPasswd, User: user.ID, Value: hash, Arg: user.Hash})
	epoch := user.Epoch
	if ok && r.Kind == fsm.KindOK {
		s.srv.hasher.Remember(s.origin, user.Name, hash, password)
		// If the hash is not ours any more, somebody has changed it again: that ends this session.
		if now, _ := s.srv.node.FSM().Lookup([]byte(user.Name)); now.ID == user.ID && bytes.Equal(now.Hash, hash) {
			epoch = now.Epoch
		}
	}
	current := s.srv.users.changedTo(s, epoch)
	if ok {
		s.result(r)
	}
	if !current && !s.over {
		s.finish(protocol.SessionEnded, sessionEnded)
	}
}

// unregister removes the account and ends all its sessions, this one after the OK.
func (s *session) unregister() {
	ctx, cancel := s.patience()
	defer cancel()
	user, ok := s.verified(ctx, s.req.Password, s.req.BarePassword)
	if !ok {
		return
	}
	r, ok := s.decide(&fsm.Command{Op: fsm.OpUnregister, User: user.ID, Arg: user.Hash})
	if !ok {
		return
	}
	s.result(r)
	if r.Kind == fsm.KindOK {
		s.over = true
	}
}

// verified returns the session's user as it is now, if password is the right one; when it is not ok,
// that has been answered.
func (s *session) verified(ctx context.Context, password, bare []byte) (user fsm.User, ok bool) {
	user, ok = s.srv.node.FSM().Lookup([]byte(s.login.name))
	if !ok || user.ID != s.login.account.id {
		s.finish(protocol.SessionEnded, sessionEnded)
		return user, false
	}
	if err := s.verify(ctx, user, credentials{name: user.Name, password: password, bare: bare}); err != nil {
		s.failAuth(err)
		return user, false
	}
	return user, true
}
