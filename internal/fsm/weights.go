package fsm

import "sync"

// Weights knows how large the values are that commands on their way to the state will find: those that are there,
// and those that entries on their way put there. By it the leader bounds what one entry makes every node copy.
// Whoever makes a batch bounds that too, by what it can know; but a value that another session, or another node,
// is just storing makes a thousand EXPIREs of it a second of everybody's time. All methods may be called from any
// goroutine.
type Weights struct {
	fsm *FSM

	mu sync.Mutex // all below
	// The largest value for each key, by the hash of user and key; of before are those from before the last Forget.
	recent, before map[uint64]int
}

const (
	// heavy is from where on a value's size matters, in bytes.
	heavy = 16 << 10
	// maxWork is what one entry may make every node copy, in bytes: some milliseconds. A batch is made of no more than
	// 256 KiB of it and one command.
	maxWork = 4 << 20
)

// NewWeights returns one that knows of nothing on its way to f.
func NewWeights(f *FSM) *Weights {
	return &Weights{fsm: f, recent: map[uint64]int{}, before: map[uint64]int{}}
}

// Forget drops what was noted before the last call: by now it must have been applied, or never will be.
func (w *Weights) Forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.recent, w.before = map[uint64]int{}, w.recent
}

// entryWork is what the commands of one entry make every node copy, as far as it has been looked at.
type entryWork struct {
	weights *Weights // nil: it is not bounded
	bytes   int
}

// tooMuch tells whether a command copies more than may still be. It notes the values that it stores.
func (e *entryWork) tooMuch(c *Command) bool {
	if e.weights == nil {
		return false
	}
	work := 0
	switch c.Op {
	case OpSet, OpCAS:
		e.weights.note(c.User, c.Key, len(c.Value))
	case OpMSet:
		for i := 0; i+1 < len(c.Words); i += 2 {
			e.weights.note(c.User, c.Words[i], len(c.Words[i+1]))
		}
	case OpExpire, OpPersist:
		work = e.weights.of(c.User, c.Key)
	case OpAppend:
		work = e.weights.of(c.User, c.Key)
		e.weights.note(c.User, c.Key, work+len(c.Value))
	}
	if work < heavy {
		return false
	}
	e.bytes += work
	return e.bytes > maxWork
}

func (w *Weights) note(user uint64, key []byte, size int) {
	if size < heavy {
		return
	}
	h := hashOf(key, user)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.recent[h] = max(w.recent[h], min(size, maxValue))
}

// of is how large the value of key may be when a command that comes now is carried out.
func (w *Weights) of(user uint64, key []byte) int {
	size := w.fsm.valueSize(user, key)
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.recent)+len(w.before) == 0 {
		return size
	}
	h := hashOf(key, user)
	return max(size, w.recent[h], w.before[h])
}

// valueSize is the size of a value that is there, whether it has expired or not.
func (f *FSM) valueSize(user uint64, key []byte) int {
	_, account := f.state.Load().users.get(user)
	if account == nil {
		return 0
	}
	item, _ := account.keyspace.Get(key, 0)
	return len(item.Value)
}
