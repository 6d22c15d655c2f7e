package auth

import (
	"errors"
	"fmt"
)

// Errors of the grammar: nothing was hashed or compared.
var (
	// ErrBadUsername is returned for a name that no user can have.
	ErrBadUsername = errors.New("bad user name")
	// ErrBadPassword is returned for a password that no user can have.
	ErrBadPassword = errors.New("bad password")
	// ErrUnfitPassword is returned for one that could be set and not be given at every login. It is an ErrBadPassword.
	ErrUnfitPassword = fmt.Errorf("%w: unfit", ErrBadPassword)
)

// Errors of a Hasher.
var (
	// ErrBusy is returned when too many callers wait for bcrypt already, or when a waiter had to make
	// room for an address with fewer waiters. Nothing was compared; trying again later is fine.
	ErrBusy = errors.New("too many logins are waiting")
	// ErrMismatch is returned when the user is unknown or the password is wrong; there is no telling which.
	ErrMismatch = errors.New("unknown user or wrong password")
	// ErrBadHash is returned when the stored hash is not one of bcrypt's, or has a cost above MaxCost
	// (comparing would hold a core for minutes). No password can match it.
	ErrBadHash = errors.New("the stored password hash cannot be used")
	// ErrBadCost is returned for a bcrypt cost outside MinCost to MaxCost.
	ErrBadCost = errors.New("bad bcrypt cost")
)
