package admin

import (
	"context"

	"ciderd/internal/report"
)

func (s *Server) status(ctx context.Context, _ struct{}) (report.Full, error) {
	return s.config.Full(ctx), nil
}

func (s *Server) node(context.Context, struct{}) (report.Report, error) {
	return s.config.Report(), nil
}

func (s *Server) past(context.Context, struct{}) (report.Past, error) {
	return s.config.Past(), nil
}
