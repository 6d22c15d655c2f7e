package api

import (
	"iter"
	"strconv"

	"ciderd/internal/membership"
)

// What the log tells of requests.

// Verb returns what an operator has typed.
func (q ChangeRequest) Verb() string {
	if q.Op == membership.OpTransfer {
		return q.Op
	}
	return "member " + q.Op
}

// Facts returns the node's name.
func (q ChangeRequest) Facts() iter.Seq2[string, string] { return facts("node", q.Name) }

// Facts returns the user's name, and nothing of the password.
func (q UserRequest) Facts() iter.Seq2[string, string] { return facts("user", q.Name) }

// Verb returns what an operator has typed.
func (q LockRequest) Verb() string {
	if q.Locked {
		return "user lock"
	}
	return "user unlock"
}

// Facts returns the user's name.
func (q LockRequest) Facts() iter.Seq2[string, string] { return facts("user", q.Name) }

// Facts returns the user's name.
func (q NameRequest) Facts() iter.Seq2[string, string] { return facts("user", q.Name) }

// Facts returns the user's name and the amount.
func (q ShareRequest) Facts() iter.Seq2[string, string] {
	return facts("user", q.Name, "bytes", strconv.FormatInt(q.Bytes, 10))
}

// facts pairs names and values, without empty ones.
func facts(pairs ...string) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for i := 0; i+1 < len(pairs); i += 2 {
			if pairs[i+1] != "" && !yield(pairs[i], pairs[i+1]) {
				return
			}
		}
	}
}
