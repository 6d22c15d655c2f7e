package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/admin/api"
)

// progressEvery is how often a client that asks for it is told that its call goes on.
const progressEvery = time.Second

// respond answers with what do returns. A client that accepts it is told meanwhile that the call goes on.
func respond(w http.ResponseWriter, r *http.Request, log hclog.Logger, do func() (any, error)) {
	if !strings.Contains(r.Header.Get("Accept"), api.Streamed) {
		answer, err := do()
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(statusOf(err))
		write(w, answer, err, 0)
		return
	}
	type end struct {
		answer any
		err    error
	}
	done := make(chan end, 1)
	go func() { // ends with the request's context; the handler waits for it
		e := end{err: errors.New("this failed in a way that it should not; the node's log says how")}
		defer func() { done <- e }()
		defer recovered(log)
		e.answer, e.err = do()
	}()
	w.Header().Set("Content-Type", api.Streamed)
	begun, tick := time.Now(), time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case e := <-done:
			write(w, e.answer, e.err, statusOf(e.err))
			return
		case <-tick.C:
			text := fmt.Sprintf("waiting for %v", time.Since(begun).Round(time.Second))
			_ = json.NewEncoder(w).Encode(api.Line{Progress: text})
			_ = http.NewResponseController(w).Flush()
		}
	}
}

// write writes the answer, or the error. status goes into it where the header does not have it; 0: it does. The client
// is gone if writing fails.
func write(w http.ResponseWriter, answer any, err error, status int) {
	if err != nil {
		answer = api.Line{Error: err.Error(), Status: status}
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// recovered logs a panic of a verb, which must not end the node.
func recovered(log hclog.Logger) {
	if cause := recover(); cause != nil {
		log.Error("a verb of the admin socket has panicked", "cause", cause, "stack", string(debug.Stack()))
	}
}
