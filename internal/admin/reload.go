package admin

import (
	"context"

	"ciderd/internal/admin/api"
)

func (s *Server) reload(ctx context.Context, _ struct{}) (api.Reloaded, error) {
	return s.config.Reload(ctx)
}

func (s *Server) sync(ctx context.Context, _ struct{}) (api.Done, error) {
	said, err := s.config.Sync(ctx)
	return api.Done{Said: said}, err
}
