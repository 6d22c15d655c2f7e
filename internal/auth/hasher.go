package auth

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/bcrypt"

	"ciderd/internal/tally"
)

// Costs that a Hasher accepts: each step doubles the time of a hash or a compare. Cost 10 takes about
// 70 ms of a core, MaxCost more than two seconds.
const (
	MinCost     = bcrypt.MinCost
	MaxCost     = 15
	DefaultCost = bcrypt.DefaultCost
)

// defaultWaiters is about a minute of bcrypt on one core: a caller further behind runs into the login
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
	parallel int
	cost     atomic.Pointer[costAndDummy]
	slots    *semaphore
	failed   *failures
	logins   *loginCache
	sharing  *sharing
	regulars *regulars

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
		parallel: o.Parallel,
		slots:    newSemaphore(o.Parallel, o.Waiters),
		failed:   newFailures(),
		logins:   newLoginCache(),
		sharing:  newSharing(),
		regulars: newRegulars(),
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
// port; slots are shared out by it. Errors: ErrBadPassword, ErrBusy, the cause of ctx's end.
func (h *Hasher) Hash(ctx context.Context, addr string, password []byte) ([]byte, error) {
	if err := ValidPassword(password); err != nil {
		return nil, err
	}
	addr = addrKey(addr)
	if err := h.slots.acquire(ctx, request{class: h.class(addr, ""), addr: addr}); err != nil {
		return nil, err
	}
	defer h.slots.release()
	return h.generate(bcryptInput(password), h.cost.Load().cost)
}

// class is where a login waits.
func (h *Hasher) class(addr, user string) int {
	switch {
	case h.failed.suspect(addr, time.Now()):
		return lateClass
	case h.regulars.has(pair{addr, user}):
		return knownClass
	}
	return promptClass
}

// Stats is what a Hasher is doing.
type Stats struct {
	Running int // hashes and compares
	Waiting int // callers that wait for one of them to end

	Wait tally.Distribution `json:"-"` // how long callers have waited, those who gave up included: nanoseconds
}

// Stats returns that. It may be called at any time.
func (h *Hasher) Stats() Stats {
	h.slots.mu.Lock()
	defer h.slots.mu.Unlock()
	return Stats{Running: h.parallel - h.slots.free, Waiting: h.slots.waiting, Wait: h.slots.waited.Read()}
}
