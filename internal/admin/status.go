package admin

import (
	"context"

	"ciderd/internal/report"
)

func (s *Server) status(context.Context, struct{}) (report.Report, error) {
	return s.config.Report(), nil
}
