//go:build e2e

package e2e

import (
	"fmt"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"ciderd/test/harness"
)

// A registerInput is a write of value, or a read.
type registerInput struct {
	key   string
	write bool
	value string
}

// registers are keys that do not know each other; each starts without a value.
var registers = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byKey := make(map[string][]porcupine.Operation)
		for _, o := range history {
			key := o.Input.(registerInput).key
			byKey[key] = append(byKey[key], o)
		}
		parts := make([][]porcupine.Operation, 0, len(byKey))
		for _, part := range byKey {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return "NOT_FOUND" },
	Step: func(state, input, output any) (bool, any) {
		in := input.(registerInput)
		if in.write {
			return true, in.value
		}
		return output.(string) == state.(string), state
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprint(input, " -> ", output) },
}

func TestRegistersModelSeesStaleReads(t *testing.T) {
	write := func(value string, call, end int64) porcupine.Operation {
		return porcupine.Operation{Input: registerInput{"k", true, value}, Call: call, Output: "", Return: end}
	}
	read := func(value string, call, end int64) porcupine.Operation {
		return porcupine.Operation{Input: registerInput{key: "k"}, Call: call, Output: value, Return: end}
	}
	good := []porcupine.Operation{write("a", 1, 2), write("b", 3, 8), read("a", 4, 5), read("b", 6, 7)}
	if !porcupine.CheckOperations(registers, good) {
		t.Error("a linearizable history is refused")
	}
	stale := []porcupine.Operation{write("a", 1, 2), write("b", 3, 4), read("a", 5, 6)}
	if porcupine.CheckOperations(registers, stale) {
		t.Error("a stale read is accepted")
	}
}

// A history is what all clients did, on one clock.
type history struct {
	start time.Time
	next  atomic.Int64 // values, so that no two writes are alike

	mu  sync.Mutex // protects ops
	ops []porcupine.Operation
}

func (h *history) now() int64 { return int64(time.Since(h.start)) }

func (h *history) add(client int, in registerInput, out string, call, end int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, porcupine.Operation{ClientId: client, Input: in, Call: call, Output: out, Return: end})
}

func (h *history) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.ops)
}

// TestLinearizable: SYNC and GET in one burst, and SET, on all nodes at once,
// are linearizable, while the leader stands still now and then and comes back
// as one that does not know yet that it has been replaced.
func TestLinearizable(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3, Config: patient})
	user := "linear-" + harness.Unique()
	harness.MakeUser(t, c.Leader(), user)
	h := &history{start: time.Now()}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 2 * len(c.Nodes) {
		wg.Go(func() { h.client(i, c.Nodes[i%len(c.Nodes)], user, stop) })
	}
	grow := func() {
		before := h.count()
		harness.Eventually(t, "the history grows", func() error {
			if n := h.count() - before; n < 200 {
				return fmt.Errorf("by %d", n)
			}
			return nil
		})
	}
	grow()
	for range 2 + rounds(t) {
		leader := c.Leader()
		leader.Pause()
		c.Leader() // another one
		grow()
		leader.Resume()
		grow()
		c.WaitReady()
	}
	close(stop)
	wg.Wait()
	h.check(t)
}

func (h *history) check(t *testing.T) {
	t.Helper()
	result, info := porcupine.CheckOperationsVerbose(registers, h.ops, harness.Limit)
	if result == porcupine.Ok {
		return
	}
	file, err := os.CreateTemp("", "ciderd-history-*.html")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if err := porcupine.Visualize(registers, info, file); err != nil {
		t.Error(err)
	}
	t.Errorf("%d operations: %v, see %s", len(h.ops), result, file.Name())
}

// client writes and reads in turn until stop.
func (h *history) client(id int, n *harness.Node, user string, stop <-chan struct{}) {
	var c *harness.Client
	for i := id; ; i++ {
		if c == nil {
			if c = connect(n, user, stop); c == nil {
				return
			}
		}
		select {
		case <-stop:
			_ = c.Close()
			return
		case <-time.After(time.Millisecond): // a history of bounded length, for the checker
		}
		in := registerInput{key: fmt.Sprintf("r%d", i%3)}
		var err error
		if i/3%2 == 0 {
			err = h.write(id, c, in)
		} else {
			err = h.read(id, c, in)
		}
		if err != nil && harness.Code(err) == "" {
			_ = c.Close()
			c = nil
		}
	}
}

// write records a SET; one with an unknown end may take effect at any later
// time, one that was refused has none.
func (h *history) write(id int, c *harness.Client, in registerInput) error {
	in.write, in.value = true, fmt.Sprint(h.next.Add(1))
	call := h.now()
	_, err := c.Do("SET " + in.key + " " + in.value)
	switch harness.OutcomeOf(err) {
	case harness.Done:
		h.add(id, in, "", call, h.now())
	case harness.Unknown:
		h.add(id, in, "", call, math.MaxInt64)
	}
	return err
}

// read records a GET behind a SYNC that was OK; else it means nothing.
func (h *history) read(id int, c *harness.Client, in registerInput) error {
	call := h.now()
	replies, err := c.Pipeline("SYNC", "GET "+in.key)
	if err == nil && replies[0] == "OK" {
		h.add(id, in, replies[1], call, h.now())
	}
	return err
}
