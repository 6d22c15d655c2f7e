package admin

import (
	"context"

	"ciderd/internal/report"
)

func (s *Server) status(ctx context.Context, _ struct{}) (report.Full, error) {
	return s.config.Report(ctx), nil
}
