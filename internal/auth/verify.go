package auth

import (
	"context"
	"errors"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// errRight ends the wait of a login that another one has proved right.
var errRight = errors.New("an equal login was right")

// login is one call of Verify.
type login struct {
	addr, user     string // addr as addrKey gives it
	hash, password []byte // no hash: there is no such user
	tag            loginTag
	counted        bool // a mismatch counts as a failure
}

func (l *login) exists() bool { return len(l.hash) > 0 }

// Verify checks password against the stored hash of user; an empty hash means that there is no such
// user. nil: it is right. ErrMismatch: unknown user or wrong password, after the same work and the
// same waiting (see Delay). Other errors say nothing about the password: ErrBadUsername, ErrBadPassword,
// ErrBusy, ErrBadHash, the cause of ctx's end.
//
// A login that was right before, with the same stored hash, takes microseconds and waits for nobody.
// Equal ones that wait at the same time share one compare, if they are right.
func (h *Hasher) Verify(ctx context.Context, addr, user string, hash, password []byte) error {
	return h.verify(ctx, addr, user, hash, password, true)
}

// VerifyEither is Verify for a password that can be read in two ways: if first is not the right one, second is
// tried. Together they are one failure, and an unknown user costs the same two compares.
func (h *Hasher) VerifyEither(ctx context.Context, addr, user string, hash, first, second []byte) error {
	err := h.verify(ctx, addr, user, hash, first, false)
	if !errors.Is(err, ErrMismatch) && !errors.Is(err, ErrBadPassword) {
		return err
	}
	if again := h.verify(ctx, addr, user, hash, second, true); !errors.Is(again, ErrBadPassword) {
		return again
	}
	if errors.Is(err, ErrMismatch) {
		h.failed.record(addrKey(addr), user, time.Now())
	}
	return err
}

// verify is Verify; a mismatch that is not counted is for a caller that goes on to another password.
func (h *Hasher) verify(ctx context.Context, addr, user string, hash, password []byte, counted bool) error {
	if err := errors.Join(ValidUser(user), ValidPassword(password)); err != nil {
		return err
	}
	l := &login{
		addr: addrKey(addr), user: user, hash: hash, password: password, tag: h.logins.tag(user, hash, password),
		counted: counted,
	}
	if !h.remembers(l) {
		if err := h.verifySlowly(ctx, l); err != nil {
			return err
		}
	}
	h.regulars.add(pair{l.addr, user})
	return nil
}

// Remember has the login of user with password count as one that was right. It is for a caller that has
// just stored hash, which Hash has made of that password: the first login then costs no compare. addr
// is the client's, as for Verify.
func (h *Hasher) Remember(addr, user string, hash, password []byte) {
	if len(hash) > 0 {
		h.confirm(h.logins.tag(user, hash, password))
		h.regulars.add(pair{addrKey(addr), user})
	}
}

// Delay is how long Verify would now wait before it acquires a slot, for the recent failures of addr
// and user: at most 1.5 s. It waits before the compare, not after a failure, so that hanging up early
// neither saves a guesser the wait nor tells anything.
func (h *Hasher) Delay(addr, user string) time.Duration {
	return h.failed.delay(addrKey(addr), user, time.Now())
}

func (h *Hasher) remembers(l *login) bool { return l.exists() && h.logins.has(l.tag) }

// confirm remembers that a login is right, and lets those in that wait with the same one.
func (h *Hasher) confirm(tag loginTag) {
	h.logins.add(tag)
	h.sharing.release(tag)
}

func (h *Hasher) verifySlowly(ctx context.Context, l *login) error {
	hash := l.hash
	if !l.exists() {
		hash = h.cost.Load().dummy
	}
	if cost, err := bcrypt.Cost(hash); err != nil || cost > MaxCost {
		return ErrBadHash
	}
	sh := h.sharing.join(l.tag, l.addr)
	defer h.sharing.leave(sh)
	switch err := h.acquire(ctx, l, sh); {
	case errors.Is(err, errRight):
		return nil
	case err != nil:
		return err
	}
	defer h.slots.release()
	return h.run(l, sh, hash)
}

// acquire waits for all that l has to wait for, and then has a slot that is to be released.
func (h *Hasher) acquire(ctx context.Context, l *login, sh *share) error {
	start := h.notBefore(l)
	if err := sh.follow(ctx); err != nil {
		return err
	}
	if !sh.leads {
		start = h.notBefore(l) // the one that it followed has failed since
	}
	if err := sleep(ctx, time.Until(start), sh.right); err != nil {
		return err
	}
	return h.slots.acquire(ctx, request{class: h.class(l.addr, l.user), addr: l.addr, user: l.user, over: sh.right})
}

// notBefore is when l may acquire a slot, for the failures so far.
func (h *Hasher) notBefore(l *login) time.Time {
	now := time.Now()
	return now.Add(h.failed.delay(l.addr, l.user, now))
}

// run compares, with a slot, unless the answer has become known while l waited for it.
func (h *Hasher) run(l *login, sh *share, hash []byte) error {
	if h.remembers(l) {
		return nil
	}
	err := h.compare(hash, bcryptInput(l.password))
	mismatch := !l.exists() || errors.Is(err, bcrypt.ErrMismatchedHashAndPassword)
	switch {
	case mismatch:
		if l.counted {
			h.failed.record(l.addr, l.user, time.Now()) // before others go on: it counts for them
		}
		err = ErrMismatch
	case err != nil:
		err = ErrBadHash
	default:
		h.confirm(l.tag)
		return nil
	}
	h.sharing.part(sh)
	return err
}

// sleep returns after d, or with the cause of ctx's end, or with errRight when right is closed.
func sleep(ctx context.Context, d time.Duration, right <-chan struct{}) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-right:
		return errRight
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
