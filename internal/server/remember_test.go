package server

import (
	"context"
	"errors"
	"testing"

	"ciderd/internal/accounts"
)

// forgetful is a hasher whose queue is full: only what it remembers is let in.
type forgetful struct{ accounts.Hasher }

var errNotRemembered = errors.New("it would have had to compare")

func (f forgetful) Verify(_ context.Context, addr, user string, hash, password []byte) error {
	ended, end := context.WithCancelCause(context.Background())
	end(errNotRemembered) // so that there is no waiting, and so no turn
	return f.Hasher.Verify(ended, addr, user, hash, password)
}

// startForgetful starts a server in which a login that has to wait for bcrypt is answered INTERNAL.
func startForgetful(t *testing.T) *world {
	w := start(t, Config{})
	w.hasher.Hasher = forgetful{w.hasher.Hasher}
	return w
}

func TestLoginAfterSignupNeedsNoCompare(t *testing.T) {
	startForgetful(t).dial().talk(`
		LOGIN or SIGNUP
		> SIGNUP u secret
		User created successfully
		> LOGOUT
		LOGIN or SIGNUP
		> LOGIN u wrong
		!INTERNAL
		> LOGIN u secret
		Login successful
		> PASSWD secret x
		OK`)
}

func TestLoginAfterPasswdNeedsNoCompare(t *testing.T) {
	startForgetful(t).dial().talk(`
		LOGIN or SIGNUP
		> SIGNUP u secret
		User created successfully
		> PASSWD secret "the next"
		OK
		> LOGOUT
		LOGIN or SIGNUP
		> LOGIN u secret
		!INTERNAL
		> LOGIN u the next
		Login successful`)
}

// What was refused is not remembered: the password of a name that another one got first.
func TestRefusedSignupIsNotRemembered(t *testing.T) {
	w := startForgetful(t)
	w.dial().talk(`
		LOGIN or SIGNUP
		> SIGNUP u secret
		User created successfully`)
	w.dial().talk(`
		LOGIN or SIGNUP
		> SIGNUP u mine
		!USER_EXISTS
		> LOGIN u mine
		!INTERNAL`)
}
