package admin

import (
	"context"
	"net/http"

	"ciderd/internal/admin/api"
)

// Users knows the accounts, and changes them. Errors wrap api.ErrRefused or api.ErrNoLeader if nothing was done. What is
// said was done, in one line.
type Users interface {
	// AddUser makes an account, also while sign-up is closed.
	AddUser(ctx context.Context, name string, password []byte) error
	SetPassword(ctx context.Context, name string, password []byte) error
	LockUser(name string, locked bool) (said string, err error)
	RemoveUser(name string) (said string, err error)
	// User and Users tell of one and of a page. They wait for nobody.
	User(name string) (api.User, error)
	Users(after uint64, most int) api.UserPage
}

func (s *Server) addUser(ctx context.Context, q api.UserRequest) (api.Done, error) {
	if err := s.config.Users.AddUser(ctx, q.Name, q.Password); err != nil {
		return api.Done{}, err
	}
	return api.Done{Said: "added user " + q.Name}, nil
}

func (s *Server) setPassword(ctx context.Context, q api.UserRequest) (api.Done, error) {
	if err := s.config.Users.SetPassword(ctx, q.Name, q.Password); err != nil {
		return api.Done{}, err
	}
	return api.Done{Said: q.Name + " has a new password; all sessions of before have ended"}, nil
}

func (s *Server) lockUser(_ context.Context, q api.LockRequest) (api.Done, error) {
	said, err := s.config.Users.LockUser(q.Name, q.Locked)
	return api.Done{Said: said}, err
}

func (s *Server) removeUser(_ context.Context, q api.NameRequest) (api.Done, error) {
	said, err := s.config.Users.RemoveUser(q.Name)
	return api.Done{Said: said}, err
}

func (s *Server) showUser(_ context.Context, q api.NameRequest) (api.User, error) {
	return s.config.Users.User(q.Name)
}

func (s *Server) listUsers(_ context.Context, q api.PageRequest) (api.UserPage, error) {
	if q.Most < 0 || q.Most > api.MostUsers {
		return api.UserPage{}, errBadRequest
	}
	if q.Most == 0 {
		q.Most = api.MostUsers
	}
	return s.config.Users.Users(q.After, q.Most), nil
}

// userVerbs has the calls about users.
func (s *Server) userVerbs(mux *http.ServeMux) {
	handle(mux, s, api.AddUser, s.addUser)
	handle(mux, s, api.ListUsers, s.listUsers)
	handle(mux, s, api.ShowUser, s.showUser)
	handle(mux, s, api.SetPassword, s.setPassword)
	handle(mux, s, api.LockUser, s.lockUser)
	handle(mux, s, api.RemoveUser, s.removeUser)
}
