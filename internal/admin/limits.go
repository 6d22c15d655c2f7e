package admin

import (
	"context"

	"ciderd/internal/admin/api"
)

// Limits knows the limits on memory, and changes the shares of users.
type Limits interface {
	// Limits returns what is known here. It waits for nobody.
	Limits() api.Limits
	// SetQuota and SetReserve change what one user has; 0: none. They return in one line what was done. The error
	// wraps api.ErrRefused if nothing was.
	SetQuota(name string, bytes int64) (said string, err error)
	SetReserve(name string, bytes int64) (said string, err error)
}

func (s *Server) limits(context.Context, struct{}) (api.Limits, error) {
	return s.config.Limits.Limits(), nil
}

func (s *Server) setQuota(_ context.Context, q api.ShareRequest) (api.Done, error) {
	return share(q, s.config.Limits.SetQuota)
}

func (s *Server) setReserve(_ context.Context, q api.ShareRequest) (api.Done, error) {
	return share(q, s.config.Limits.SetReserve)
}

func share(q api.ShareRequest, set func(string, int64) (string, error)) (api.Done, error) {
	if q.Bytes < 0 {
		return api.Done{}, errBadRequest
	}
	said, err := set(q.Name, q.Bytes)
	if err != nil {
		return api.Done{}, err
	}
	return api.Done{Said: said}, nil
}
