package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/cluster"
)

// Server is the daemon's half.
type Server struct {
	name   string // of the node
	node   Node
	log    hclog.Logger
	path   string
	http   *http.Server
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// Open serves node, whose name is name, on a socket at path until Close. It is an error if a live
// process serves there.
func Open(path, name string, node Node, log hclog.Logger) (*Server, error) {
	l, err := listen(path)
	if err != nil {
		return nil, fmt.Errorf("the admin socket: %w", err)
	}
	s := &Server{name: name, node: node, log: log, path: path}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.http = &http.Server{
		Handler: s.handler(), BaseContext: func(net.Listener) context.Context { return ctx },
		ReadTimeout: Timeout, WriteTimeout: 2 * Timeout, IdleTimeout: Timeout, MaxHeaderBytes: maxBody,
		ErrorLog: log.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	}
	s.wg.Go(func() {
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("the admin socket is gone", "error", err)
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

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /members", s.serve(s.members))
	mux.HandleFunc("POST /change", s.serve(s.change))
	mux.HandleFunc("POST /users", s.serve(s.addUser))
	return mux
}

// serve answers with what handle returns.
func (s *Server) serve(handle func(ctx context.Context, body *json.Decoder) (reply, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), Timeout-margin)
		defer cancel()
		var answer reply
		err := s.meant(r.Header.Get(nodeHeader))
		if err == nil {
			answer, err = handle(ctx, json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)))
		}
		status := http.StatusOK
		if err != nil {
			status, answer = statusOf(err), reply{Error: err.Error()}
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(answer) // the client is gone if it fails
	}
}

var (
	errBadRequest = errors.New("not a request of the admin socket")
	errOtherNode  = errors.New("another node")
)

func (s *Server) meant(name string) error {
	if name != "" && name != s.name {
		return fmt.Errorf("%w: this is the socket of %s, not of %s", errOtherNode, s.name, name)
	}
	return nil
}

func statusOf(err error) int {
	switch {
	case errors.Is(err, errBadRequest):
		return http.StatusBadRequest
	case errors.Is(err, errOtherNode):
		return http.StatusMisdirectedRequest
	case errors.Is(err, cluster.ErrRefused):
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

func (s *Server) members(ctx context.Context, _ *json.Decoder) (reply, error) {
	list, err := s.node.Members(ctx)
	if err != nil && len(list) == 0 {
		return reply{}, err
	}
	r := reply{Members: list}
	if err != nil {
		r.Warning = fmt.Sprintf("as %s sees it, which may be out of date: %v", s.name, err)
	}
	return r, nil
}

func (s *Server) change(ctx context.Context, body *json.Decoder) (reply, error) {
	var q changeRequest
	if err := read(body, &q); err != nil {
		return reply{}, err
	}
	s.log.Info("asked for a change on the admin socket", "op", q.Op, "node", q.Name)
	said, err := s.node.Change(ctx, q.Op, q.Name, q.Yes)
	return reply{Said: said}, err
}

func (s *Server) addUser(ctx context.Context, body *json.Decoder) (reply, error) {
	var q userRequest
	if err := read(body, &q); err != nil {
		return reply{}, err
	}
	if err := s.node.AddUser(ctx, q.Name, q.Password); err != nil {
		return reply{}, err
	}
	s.log.Info("user added on the admin socket", "user", q.Name)
	return reply{Said: "added user " + q.Name}, nil
}
