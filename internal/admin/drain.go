package admin

import (
	"context"

	"ciderd/internal/admin/api"
)

func (s *Server) drain(ctx context.Context, q api.DrainRequest) (api.Draining, error) {
	return s.config.Drain(ctx, q.On)
}

func (s *Server) drained(context.Context, struct{}) (api.Draining, error) {
	return s.config.Drained(), nil
}
