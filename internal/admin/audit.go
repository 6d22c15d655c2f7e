package admin

import (
	"context"
	"net"
	"strconv"
	"unicode"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/admin/api"
)

// callerKey is under what a connection's context has the uid of the process at its other end.
type callerKey struct{}

// unknownCaller stands for a uid that the system does not tell.
const unknownCaller = "unknown"

func withCaller(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, callerKey{}, callerOf(conn))
}

// audited has do make a call. If that changes something, the log tells who has made it: once before, as it may be the
// last that this node does, and once with what has become of it.
func audited[Q, A any](ctx context.Context, log hclog.Logger, verb string, q Q, do func(context.Context, Q) (A, error)) (A, error) {
	if verb == "" {
		return do(ctx, q)
	}
	if named, ok := any(q).(api.Named); ok {
		verb = named.Verb()
	}
	line := []any{"uid", ctx.Value(callerKey{}), "verb", printable(verb)}
	if about, ok := any(q).(api.About); ok {
		for name, value := range about.Facts() {
			line = append(line, name, printable(value))
		}
	}
	log.Info("audit", append(line, "outcome", "begins")...)
	answer, err := do(ctx, q)
	outcome := "done"
	if err != nil {
		outcome = printable(err.Error())
	}
	log.Info("audit", append(line, "outcome", outcome)...)
	return answer, err
}

// auditWord bounds what a line has of each word, in bytes.
const auditWord = 200

// printable returns a word that can neither begin a line of its own nor be very long.
func printable(word string) string {
	if len(word) > auditWord {
		word = word[:auditWord] + "…"
	}
	for _, r := range word {
		if !unicode.IsPrint(r) {
			return strconv.QuoteToASCII(word)
		}
	}
	return word
}
