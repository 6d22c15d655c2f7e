package auth

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// Costs that a Hasher accepts: each step doubles the time of a hash or a compare. Cost 10 takes about
// 70 ms of a core, MaxCost more than two seconds.
const (
	MinCost     = bcrypt.MinCost
	MaxCost     = 15
	DefaultCost = bcrypt.DefaultCost
)

// defaultWaiters is about a minute of bcrypt on one core: who is further behind runs into the login
// timeout anyway, and is better told at once.
const defaultWaiters = 1024

// Options of a Hasher; the zero value is the default for each.
type Options struct {
	// Cost of new hashes, MinCost to MaxCost; DefaultCost if 0. More makes a stolen snapshot harder
	// to crack and every first login slower.
	Cost int
	// Parallel is how many bcrypt runs there are at most at a time; max(1, cores/2) if 0, which leaves
	// half of the machine to the log.
	Parallel int
	// Waiters is how many callers may wait for a run, 1,024 if 0; beyond that it is ErrBusy.
	Waiters int
}

// Hasher hashes and verifies passwords. All methods may be called concurrently; they run and wait in
// the caller's goroutine.
type Hasher struct {
	cost   atomic.Pointer[costAndDummy]
	gate   *gate
	failed *failures
	logins *loginCache

	// The bcrypt package, unless a test counts its runs.
	generate func(password []byte, cost int) ([]byte, error)
	compare  func(hash, password []byte) error
}

// costAndDummy change together: an unknown user must cost what a new one would.
type costAndDummy struct {
	cost  int
	dummy []byte
}

// NewHasher returns a Hasher, or ErrBadCost.
func NewHasher(o Options) (*Hasher, error) {
	if o.Cost == 0 {
		o.Cost = DefaultCost
	}
	if o.Parallel <= 0 {
		o.Parallel = max(1, runtime.GOMAXPROCS(0)/2)
	}
	if o.Waiters <= 0 {
		o.Waiters = defaultWaiters
	}
	h := &Hasher{
		gate:     newGate(o.Parallel, o.Waiters),
		failed:   newFailures(),
		logins:   newLoginCache(),
		generate: bcrypt.GenerateFromPassword,
		compare:  bcrypt.CompareHashAndPassword,
	}
	if err := h.SetCost(o.Cost); err != nil {
		return nil, err
	}
	return h, nil
}

// SetCost changes the cost of hashes made from now on; stored ones keep theirs. It fails with
// ErrBadCost. Users whose hash has another cost can be told from unknown ones by a stopwatch until
// they change their password: raise the cost before there are users.
func (h *Hasher) SetCost(cost int) error {
	if cost < MinCost || cost > MaxCost {
		return fmt.Errorf("%w: %d is not from %d to %d", ErrBadCost, cost, MinCost, MaxCost)
	}
	h.cost.Store(&costAndDummy{cost: cost, dummy: dummyHash(cost)})
	return nil
}

// Hash makes the hash to be stored for password. addr is the client's address, with or without a
// port; turns are shared out by it. Errors: ErrBadPassword, ErrBusy, the cause of ctx's end.
func (h *Hasher) Hash(ctx context.Context, addr string, password []byte) ([]byte, error) {
	if err := ValidPassword(password); err != nil {
		return nil, err
	}
	addr = addrKey(addr)
	if err := h.gate.enter(ctx, addr, "", h.failed.suspect(addr, time.Now())); err != nil {
		return nil, err
	}
	defer h.gate.leave()
	return h.generate(bcryptInput(password), h.cost.Load().cost)
}

// Verify checks password against the stored hash of user; an empty hash means that there is no such
// user. nil: it is right. ErrMismatch: unknown user or wrong password, after the same work and the
// same waiting (see Delay). Other errors say nothing about the password: ErrBadUsername, ErrBadPassword,
// ErrBusy, ErrBadHash, the cause of ctx's end.
//
// A login that was right before, with the same stored hash, takes microseconds and waits for nobody.
func (h *Hasher) Verify(ctx context.Context, addr, user string, hash, password []byte) error {
	if err := errors.Join(ValidUser(user), ValidPassword(password)); err != nil {
		return err
	}
	tag := h.logins.tag(user, hash, password)
	if len(hash) > 0 && h.logins.has(tag) {
		return nil
	}
	err := h.verifySlowly(ctx, addrKey(addr), user, hash, password)
	switch {
	case err == nil:
		h.logins.add(tag)
	case errors.Is(err, ErrMismatch):
		h.failed.record(addrKey(addr), user, time.Now())
	}
	return err
}

// Delay is how long Verify would now wait before it takes its turn, for the recent failures of addr
// and user: at most 1.5 s. It waits before the compare, not after a failure, so that hanging up early
// neither saves a guesser the wait nor tells him anything.
func (h *Hasher) Delay(addr, user string) time.Duration {
	return h.failed.delay(addrKey(addr), user, time.Now())
}

func (h *Hasher) verifySlowly(ctx context.Context, addr, user string, hash, password []byte) error {
	known := len(hash) > 0
	if !known {
		hash = h.cost.Load().dummy
	}
	if cost, err := bcrypt.Cost(hash); err != nil || cost > MaxCost {
		return ErrBadHash
	}
	if err := sleep(ctx, h.failed.delay(addr, user, time.Now())); err != nil {
		return err
	}
	if err := h.gate.enter(ctx, addr, user, h.failed.suspect(addr, time.Now())); err != nil {
		return err
	}
	defer h.gate.leave()
	switch err := h.compare(hash, bcryptInput(password)); {
	case !known || errors.Is(err, bcrypt.ErrMismatchedHashAndPassword):
		return ErrMismatch
	case err != nil:
		return ErrBadHash
	}
	return nil
}

// sleep returns after d, or with the cause of ctx's end.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
