package admin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"ciderd/internal/admin/api"
)

// Backups makes backups and restores them. Errors wrap api.ErrRefused or api.ErrNoLeader if nothing was done.
type Backups interface {
	// Save writes a backup to w until ctx ends. begin is called once before that, if there is one.
	Save(ctx context.Context, w io.Writer, begin func()) error
	// Note has the cluster remember a backup of this node. It says in one line that it does.
	Note(at int64) (said string, err error)
	// Restore puts back what a file has, or says what that would be, until ctx ends.
	Restore(ctx context.Context, q api.RestoreRequest, file io.Reader) (api.Restored, error)
}

func (s *Server) backupVerbs(mux *http.ServeMux) {
	mux.HandleFunc("GET "+api.SavePath, s.save)
	mux.HandleFunc("POST "+api.RestorePath, s.restore)
	handle(mux, s, api.NoteBackup, s.noteBackup)
}

func (s *Server) noteBackup(_ context.Context, q api.BackupNote) (api.Done, error) {
	if q.Time <= 0 {
		return api.Done{}, errBadRequest
	}
	said, err := s.config.Backups.Note(q.Time)
	if err != nil {
		return api.Done{}, err
	}
	return api.Done{Said: said}, nil
}

// standstill is how long a stream may stand still.
const standstill = 30 * time.Second

// save writes a backup. One that fails in the middle has no end, and its connection breaks.
func (s *Server) save(w http.ResponseWriter, r *http.Request) {
	if err := s.meant(r.Header.Get(api.NodeHeader)); err != nil {
		s.failed(w, err)
		return
	}
	to, begun := &steady{ResponseWriter: w, control: http.NewResponseController(w)}, false
	_ = to.control.SetReadDeadline(time.Time{}) // a bound on reading requests must not end this one
	_, err := audited(r.Context(), s.config.Log, "backup", struct{}{}, func(ctx context.Context, _ struct{}) (api.Done, error) {
		return api.Done{}, s.config.Backups.Save(ctx, to, func() {
			begun = true
			w.Header().Set("Content-Type", "application/octet-stream")
		})
	})
	switch {
	case err == nil:
	case begun:
		panic(http.ErrAbortHandler)
	default:
		s.failed(w, err)
	}
}

// restore takes a backup. What is not read after an error is thrown away: who is still sending would else not hear it.
func (s *Server) restore(w http.ResponseWriter, r *http.Request) {
	from := &steadyBody{body: r.Body, control: http.NewResponseController(w)}
	answer, err := s.restored(r, from)
	if err != nil {
		_, _ = io.Copy(io.Discard, from) // it ends with the stream, or when that stands still
	}
	_ = from.control.SetWriteDeadline(time.Now().Add(standstill))
	if err != nil {
		s.failed(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	write(w, answer, nil, 0)
}

func (s *Server) restored(r *http.Request, from io.Reader) (done api.Restored, err error) {
	if err := s.meant(r.Header.Get(api.NodeHeader)); err != nil {
		return done, err
	}
	q, err := api.ParseRestore(r.URL.Query())
	if err != nil {
		return done, errors.Join(errBadRequest, err)
	}
	verb := "restore"
	if q.Check {
		verb = ""
	}
	return audited(r.Context(), s.config.Log, verb, q, func(ctx context.Context, q api.RestoreRequest) (api.Restored, error) {
		return s.config.Backups.Restore(ctx, q, from)
	})
}

func (s *Server) failed(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(statusOf(err))
	write(w, nil, err, 0)
}

// steady is a response that may take any time, if it does not stand still.
type steady struct {
	http.ResponseWriter
	control *http.ResponseController
}

func (s *steady) Write(p []byte) (int, error) {
	_ = s.control.SetWriteDeadline(time.Now().Add(standstill))
	return s.ResponseWriter.Write(p)
}

// steadyBody is the same of a request.
type steadyBody struct {
	body    io.Reader
	control *http.ResponseController
}

func (s *steadyBody) Read(p []byte) (int, error) {
	_ = s.control.SetReadDeadline(time.Now().Add(standstill))
	n, err := s.body.Read(p)
	// Between two reads the log may take its time.
	_ = s.control.SetReadDeadline(time.Time{})
	return n, err
}
