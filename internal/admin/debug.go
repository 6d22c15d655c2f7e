package admin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"ciderd/internal/admin/api"
)

// debug sends the archive for a ticket. It is sent as it is made, so what goes wrong can only be told by cutting it off.
func (s *Server) debug(w http.ResponseWriter, r *http.Request) {
	if err := s.meant(r.Header.Get(api.NodeHeader)); err != nil {
		w.WriteHeader(statusOf(err))
		write(w, nil, err, 0)
		return
	}
	conn, end := http.NewResponseController(w), time.Now().Add(api.DebugTimeout)
	ctx, cancel := context.WithDeadline(r.Context(), end)
	defer cancel()
	if err := errors.Join(conn.SetReadDeadline(end), conn.SetWriteDeadline(end)); err != nil {
		w.WriteHeader(statusOf(err))
		write(w, nil, err, 0)
		return
	}
	w.Header().Set("Content-Type", "application/gzip")
	_, err := audited(ctx, s.config.Log, api.DebugVerb, struct{}{}, func(ctx context.Context, _ struct{}) (struct{}, error) {
		return struct{}{}, s.config.Debug(ctx, w)
	})
	if err != nil {
		panic(http.ErrAbortHandler)
	}
}
