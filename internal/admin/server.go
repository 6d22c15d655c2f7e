// Package admin owns the operators' way in to a node that runs: the daemon's half of the socket that package api
// describes, one file a verb.
//
// It promises that bodies and waits are bounded, that it starts no two servers on one path, that an error says
// whether nothing was done, and that the log tells who has called each verb that changes something. It never decides what is safe, which the rooms behind it do, and it never logs a password.
package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/admin/api"
	"ciderd/internal/report"
)

// Config is what the socket needs of the node that it is the way in to.
type Config struct {
	Name    string // of the node
	Report  func() report.Report
	Full    func(ctx context.Context) report.Full // asks the other nodes
	Past    func() report.Past
	Members Members
	Users   Users
	Limits  Limits
	Backups Backups
	// Drain takes the node out of traffic, or back into it; Drained says how far that is, and waits for nobody.
	Drain   func(ctx context.Context, on bool) (api.Draining, error)
	Drained func() api.Draining
	// Sync returns once the node has caught up, in words; an error wraps api.ErrNoLeader if it knows no leader.
	Sync func(context.Context) (said string, err error)
	// Reload has the node read its file again; an error wraps api.ErrConfig if nothing was taken over.
	Reload func(context.Context) (api.Reloaded, error)
	// Debug writes the archive for a ticket.
	Debug func(ctx context.Context, to io.Writer) error
	Log   hclog.Logger
	// Mode says who may use the socket: api.ModeOwn or api.ModeGroup.
	Mode fs.FileMode
}

// Server is the daemon's half.
type Server struct {
	config Config
	path   string
	http   *http.Server
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// Open serves a node on a socket at path until Close. It is an error if a live process serves there.
func Open(path string, c Config) (*Server, error) {
	l, err := api.Listen(path, c.Mode)
	if err != nil {
		return nil, fmt.Errorf("the admin socket: %w", err)
	}
	s := &Server{config: c, path: path}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.http = &http.Server{
		Handler: s.handler(), BaseContext: func(net.Listener) context.Context { return ctx }, ConnContext: withCaller,
		ReadTimeout: api.Timeout, WriteTimeout: 2 * api.Timeout, IdleTimeout: api.Timeout, MaxHeaderBytes: api.MaxBody,
		ErrorLog: c.Log.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	}
	s.wg.Go(func() {
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			c.Log.Error("the admin socket is gone", "error", err)
		}
	})
	return s, nil
}

// Close ends the calls that are being made, and removes the socket.
func (s *Server) Close() error {
	err := os.Remove(s.path)
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	s.cancel()
	ending, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if s.http.Shutdown(ending) != nil { // a client that does not read its reply
		err = errors.Join(err, s.http.Close())
	}
	s.wg.Wait()
	return err
}

// handler has every verb. A new one is a line here, a file of its own, and a call in package api.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	handle(mux, s, api.Status, s.status)
	handle(mux, s, api.Node, s.node)
	handle(mux, s, api.Past, s.past)
	handle(mux, s, api.Members, s.members)
	handle(mux, s, api.Change, s.change)
	s.userVerbs(mux)
	s.backupVerbs(mux)
	handle(mux, s, api.ShowLimits, s.limits)
	handle(mux, s, api.SetQuota, s.setQuota)
	handle(mux, s, api.SetReserve, s.setReserve)
	handle(mux, s, api.Reload, s.reload)
	handle(mux, s, api.Sync, s.sync)
	handle(mux, s, api.Drain, s.drain)
	handle(mux, s, api.Drained, s.drained)
	mux.HandleFunc("GET "+api.DebugPath, s.debug)
	return mux
}

var (
	errBadRequest = errors.New("not a request of the admin socket")
	errOtherNode  = errors.New("another node")
)

// margin is what of api.Timeout is left for the answer to arrive.
const margin = 500 * time.Millisecond

// handle has do answer a call.
func handle[Q, A any](mux *http.ServeMux, s *Server, k api.Call[Q, A], do func(context.Context, Q) (A, error)) {
	mux.HandleFunc(k.Method+" "+k.Path, func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), api.Timeout-margin)
		defer cancel()
		q, err := request[Q](s, w, r)
		respond(w, r, s.config.Log, func() (any, error) {
			if err != nil {
				return nil, err
			}
			return audited(ctx, s.config.Log, k.Verb, q, do)
		})
	})
}

// request returns the parsed request, if this node is the one to answer it.
func request[Q any](s *Server, w http.ResponseWriter, r *http.Request) (q Q, err error) {
	if err := s.meant(r.Header.Get(api.NodeHeader)); err != nil {
		return q, err
	}
	if r.Method == http.MethodPost {
		err = read(json.NewDecoder(http.MaxBytesReader(w, r.Body, api.MaxBody)), &q)
	}
	return q, err
}

func (s *Server) meant(name string) error {
	if name != "" && name != s.config.Name {
		return fmt.Errorf("%w: this is the socket of %s, not of %s", errOtherNode, s.config.Name, name)
	}
	return nil
}

func statusOf(err error) int {
	switch {
	case err == nil:
		return http.StatusOK
	case errors.Is(err, api.ErrNoLeader):
		return http.StatusFailedDependency
	case errors.Is(err, api.ErrConfig):
		return http.StatusUnprocessableEntity
	case errors.Is(err, errBadRequest):
		return http.StatusBadRequest
	case errors.Is(err, errOtherNode):
		return http.StatusMisdirectedRequest
	case errors.Is(err, api.ErrRefused):
		return http.StatusConflict
	}
	return http.StatusServiceUnavailable
}

// read decodes the body of a request, which must be there and be all that there is.
func read(body *json.Decoder, into any) error {
	body.DisallowUnknownFields()
	if err := body.Decode(into); err != nil {
		// The decoder's words may quote what was sent.
		return errBadRequest
	}
	if body.More() {
		return errBadRequest
	}
	return nil
}
