package admin

import (
	"context"

	"ciderd/internal/admin/api"
)

// Users makes accounts.
type Users interface {
	// AddUser makes an account. The error wraps api.ErrRefused if nothing was done.
	AddUser(ctx context.Context, name string, password []byte) error
}

func (s *Server) addUser(ctx context.Context, q api.UserRequest) (api.Done, error) {
	if err := s.config.Users.AddUser(ctx, q.Name, q.Password); err != nil {
		return api.Done{}, err
	}
	return api.Done{Said: "added user " + q.Name}, nil
}
