package optimistic

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"ciderd/internal/cache"
	"ciderd/internal/fsm"
	"ciderd/test/nodetest"
)

// world is a node with a user.
type world struct {
	t    *testing.T
	node *nodetest.Node
	Runner
}

func start(t *testing.T) *world {
	w := &world{t: t, node: nodetest.New()}
	w.propose(fsm.NewUser("u", []byte("hash"), 0, w.node.Reads))
	w.Runner = Runner{
		User: 1, Keyspace: func() *cache.Keyspace { return w.node.FSM().Reader(1).Keyspace() }, Now: w.node.Clock().Now,
		Propose: func(c fsm.Command) (fsm.Result, error) { return w.propose(c) },
	}
	return w
}

func (w *world) propose(c fsm.Command) (fsm.Result, error) {
	results, err := w.node.Propose(fsm.NewGroup(c), time.Second).Wait()
	if err != nil {
		return fsm.Result{}, err
	}
	return results[0], nil
}

func (w *world) set(key, value string) {
	w.t.Helper()
	if r, err := w.propose(fsm.Command{Op: fsm.OpSet, User: 1, Key: []byte(key), Value: []byte(value)}); err != nil || r.Kind != fsm.KindOK {
		w.t.Fatal(r, err)
	}
}

func (w *world) want(key, value string) {
	w.t.Helper()
	it, ok := w.Keyspace().Get([]byte(key), w.Now())
	if string(it.Value) != value || ok != (value != "") {
		w.t.Errorf("%s has %q, want %q", key, it.Value, value)
	}
}

func (a *Attempt) text(t *testing.T, key string) string {
	t.Helper()
	it, _, err := a.Get([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return string(it.Value)
}

func (a *Attempt) put(key, value string) error { return a.Set([]byte(key), Item{Value: []byte(value)}) }

// A try sees what it has written itself, and nobody else does before it is done: in one entry.
func TestWritesAreKeptAside(t *testing.T) {
	w := start(t)
	w.set("a", "1")
	w.set("gone", "1")
	entries := len(w.node.Groups())
	err := w.Run(func(a *Attempt) error {
		value := []byte("2")
		_ = a.Set([]byte("a"), Item{Value: value})
		value[0] = 'x'
		_ = a.put("new", a.text(t, "a")+"!")
		_ = a.Delete([]byte("gone"))
		_ = a.put("never", "1")
		_ = a.Delete([]byte("never"))
		_ = a.Set([]byte("timed"), Item{Value: []byte("v"), Deadline: a.Now() + 1000})
		_ = a.Set([]byte("past"), Item{Value: []byte("v"), Deadline: a.Now()})
		for key, want := range map[string]string{"a": "2", "new": "2!", "gone": "", "never": "", "timed": "v", "past": ""} {
			it, there, err := a.Get([]byte(key))
			if string(it.Value) != want || there != (want != "") || err != nil {
				t.Errorf("the try itself sees %s: %q, %v, %v", key, it.Value, there, err)
			}
		}
		w.want("a", "1")
		w.want("new", "")
		w.want("gone", "1")
		return nil
	})
	if err != nil || len(w.node.Groups()) != entries+1 {
		t.Fatalf("%v, in %d entries", err, len(w.node.Groups())-entries)
	}
	for key, value := range map[string]string{"a": "2", "new": "2!", "gone": "", "never": "", "timed": "v", "past": ""} {
		w.want(key, value)
	}
	w.node.Advance(2 * time.Second)
	w.want("timed", "")
}

// What a try has read is a condition: changed, removed, made, or the keyspace as a whole; what it has not read is none.
func TestWhatWasReadIsACondition(t *testing.T) {
	get := func(key string) func(a *Attempt) error {
		return func(a *Attempt) error { _, _, err := a.Get([]byte(key)); return err }
	}
	whole := func(a *Attempt) error { _, err := a.Whole(); return err }
	for name, c := range map[string]struct {
		read   func(a *Attempt) error
		change fsm.Command
		tries  int
	}{
		"changed":            {get("a"), fsm.Command{Op: fsm.OpSet, Key: []byte("a"), Value: []byte("1")}, 2},
		"removed":            {get("a"), fsm.Command{Op: fsm.OpDelete, Words: [][]byte{[]byte("a")}}, 2},
		"made":               {get("none"), fsm.Command{Op: fsm.OpSet, Key: []byte("none"), Value: []byte("1")}, 2},
		"another one":        {get("a"), fsm.Command{Op: fsm.OpSet, Key: []byte("b"), Value: []byte("1")}, 1},
		"another one, whole": {whole, fsm.Command{Op: fsm.OpSet, Key: []byte("b"), Value: []byte("1")}, 2},
		"nothing":            {whole, fsm.Command{Op: fsm.OpDelete, Words: [][]byte{[]byte("none")}}, 1},
		"twice":              {func(a *Attempt) error { return errors.Join(whole(a), whole(a)) }, fsm.Command{Op: fsm.OpSet, Key: []byte("b"), Value: []byte("1")}, 2},
		"one of two":         {func(a *Attempt) error { return errors.Join(get("a")(a), get("b")(a)) }, fsm.Command{Op: fsm.OpSet, Key: []byte("a"), Value: []byte("1")}, 2},
		"the other of two":   {func(a *Attempt) error { return errors.Join(get("a")(a), get("b")(a)) }, fsm.Command{Op: fsm.OpSet, Key: []byte("b"), Value: []byte("1")}, 2},
		"read, then whole":   {func(a *Attempt) error { return errors.Join(get("a")(a), whole(a)) }, fsm.Command{Op: fsm.OpSet, Key: []byte("c"), Value: []byte("1")}, 2},
		"not read":           {func(*Attempt) error { return nil }, fsm.Command{Op: fsm.OpSet, Key: []byte("a"), Value: []byte("1")}, 1},
	} {
		for _, writes := range []bool{true, false} {
			w := start(t)
			w.set("a", "1")
			tries, entries := 0, 0
			err := w.Run(func(a *Attempt) error {
				if err := c.read(a); err != nil {
					return err
				}
				if tries++; tries == 1 {
					c.change.User = 1
					if _, err := w.propose(c.change); err != nil {
						t.Fatal(err)
					}
					entries = len(w.node.Groups())
				}
				if writes {
					return a.put("out", strconv.Itoa(tries))
				}
				return nil
			})
			wrote := len(w.node.Groups()) - entries
			if err != nil || tries != c.tries || writes && wrote != tries || !writes && wrote != 0 {
				t.Errorf("%s, writes %v: %v after %d tries in %d entries, want %d tries", name, writes, err, tries, wrote, c.tries)
			}
			if writes {
				w.want("out", strconv.Itoa(c.tries))
			}
		}
	}
}

// The keyspace is the same whenever it is looked at as a whole, or the try ends.
func TestWholeTwice(t *testing.T) {
	w := start(t)
	tries := 0
	err := w.Run(func(a *Attempt) error {
		tries++
		first, err := a.Whole()
		if err != nil {
			return err
		}
		if tries == 1 {
			w.set("a", "2")
		}
		second, err := a.Whole()
		if err == nil && (first.Version() != second.Version() || second.Len() != 1) {
			t.Errorf("version %d, then %d", first.Version(), second.Version())
		}
		return err
	})
	if err != nil || tries != 2 {
		t.Errorf("%v after %d tries", err, tries)
	}
}

// A key that was read before the keyspace as a whole, and changed between, is a condition too.
func TestReadBeforeWhole(t *testing.T) {
	w := start(t)
	tries := 0
	err := w.Run(func(a *Attempt) error {
		tries++
		a.text(t, "a")
		if tries == 1 {
			w.set("a", "2")
		}
		_, err := a.Whole()
		return err
	})
	if err != nil || tries != 2 {
		t.Errorf("%v after %d tries", err, tries)
	}
}

// A key that is read twice is the same twice, or the try ends.
func TestReadTwice(t *testing.T) {
	w := start(t)
	w.set("a", "1")
	tries := 0
	err := w.Run(func(a *Attempt) error {
		tries++
		first := a.text(t, "a")
		if tries == 1 {
			w.set("a", "2")
		}
		it, _, err := a.Get([]byte("a"))
		if err == nil && string(it.Value) != first {
			t.Errorf("%s, then %s", first, it.Value)
		}
		return err
	})
	if err != nil || tries != 2 {
		t.Errorf("%v after %d tries", err, tries)
	}
}

// An error of what is run counts only if what it has read was there at one time; and nothing is written.
func TestErrorsOfATryAreChecked(t *testing.T) {
	w := start(t)
	w.set("a", "1")
	why, tries := errors.New("a and b differ"), 0
	err := w.Run(func(a *Attempt) error {
		if tries++; tries > 2 {
			return nil
		}
		a.text(t, "a")
		if tries == 1 {
			w.set("a", "2")
		}
		_ = a.put("out", "1")
		return why
	})
	if err != why || tries != 2 {
		t.Errorf("%v after %d tries", err, tries)
	}
	w.want("out", "")
}

func TestGivenUp(t *testing.T) {
	w := start(t)
	tries := 0
	err := w.Run(func(a *Attempt) error {
		n := a.text(t, "a")
		tries++
		w.set("a", strconv.Itoa(tries))
		return a.put("out", n)
	})
	if !errors.Is(err, ErrConflict) || tries != Tries {
		t.Errorf("%v after %d tries", err, tries)
	}
	w.want("out", "")
	down := errors.New("no leader")
	w.node.Fail(down)
	if err := w.Run(func(a *Attempt) error { return a.put("out", "1") }); err != down {
		t.Errorf("%v", err)
	}
	w.node.Fail(nil)
	w.propose(fsm.Command{Op: fsm.OpClose, N: 1})
	var refused *Refused
	if err := w.Run(func(a *Attempt) error { return a.put("out", "1") }); !errors.As(err, &refused) || refused.Kind != fsm.KindMemoryFull {
		t.Errorf("%v", err)
	}
	if err := w.Run(func(a *Attempt) error { return a.Delete([]byte("a")) }); err != nil {
		t.Errorf("a deletion: %v", err)
	}
	leaves := fsm.Command{Op: fsm.OpUnregister, User: 1, Arg: []byte("hash")}
	if err := w.Run(func(a *Attempt) error { w.propose(leaves); return a.put("out", "1") }); err != ErrGone {
		t.Errorf("the account leaves: %v", err)
	}
	if err := w.Run(func(*Attempt) error { t.Error("run"); return nil }); err != ErrGone {
		t.Errorf("the account has left: %v", err)
	}
}

func TestTriesAreBounded(t *testing.T) {
	w := start(t)
	large := bytes.Repeat([]byte("x"), 1<<20)
	full := false
	err := w.Run(func(a *Attempt) error {
		for range 10 { // in place of itself it takes no more
			if err := a.Set([]byte("k"), Item{Value: large}); err != nil {
				return err
			}
		}
		for i := range 3 {
			if err := a.Set(fmt.Append(nil, i), Item{Value: large[:1<<20-100]}); err != nil {
				t.Errorf("the %d. large one: %v", i, err)
			}
		}
		full = true
		return a.Set([]byte("more"), Item{Value: large})
	})
	if err != ErrTooLarge || !full {
		t.Errorf("5 MiB: %v, with room for 4: %v", err, full)
	}
	w.want("0", "")
	for what, one := range map[string]func(a *Attempt, key []byte) error{
		"read":    func(a *Attempt, key []byte) error { _, _, err := a.Get(key); return err },
		"written": func(a *Attempt, key []byte) error { return a.Delete(key) },
	} {
		for _, n := range []int{fsm.MaxInExec, fsm.MaxInExec + 1} {
			err := w.Run(func(a *Attempt) error {
				for i := range n {
					if err := one(a, fmt.Append(nil, i)); err != nil {
						return err
					}
				}
				return a.put("0", "1")
			})
			if n == fsm.MaxInExec && err != nil || n > fsm.MaxInExec && err != ErrTooLarge {
				t.Errorf("%d keys are %s: %v", n, what, err)
			}
		}
	}
}

// Transfers between accounts at random, all at once: nothing is lost or made, and no reader sees a sum that never was.
func TestTriesAreSerialisable(t *testing.T) {
	const accounts, sum = 4, 400
	w := start(t)
	for i := range accounts {
		w.set(strconv.Itoa(i), strconv.Itoa(sum/accounts))
	}
	var wg sync.WaitGroup
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(1, seed))
		wg.Go(func() {
			for range 200 {
				from, to, n := strconv.Itoa(r.IntN(accounts)), strconv.Itoa(r.IntN(accounts)), r.IntN(10)
				err := w.Run(func(a *Attempt) error {
					for key, by := range map[string]int{from: -n, to: n} {
						it, _, err := a.Get([]byte(key))
						if err != nil || from == to {
							return err
						}
						had, _ := strconv.Atoi(string(it.Value))
						if err := a.put(key, strconv.Itoa(had+by)); err != nil {
							return err
						}
					}
					return nil
				})
				total := 0
				read := w.Run(func(a *Attempt) error {
					total = 0
					for i := range accounts {
						it, _, err := a.Get([]byte(strconv.Itoa(i)))
						if err != nil {
							return err
						}
						had, _ := strconv.Atoi(string(it.Value))
						total += had
					}
					return nil
				})
				if err != nil && err != ErrConflict || read != nil && read != ErrConflict || read == nil && total != sum {
					t.Errorf("%v, %v, a sum of %d", err, read, total)
					return
				}
			}
		})
	}
	wg.Wait()
}
