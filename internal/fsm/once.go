package fsm

// How long a user's ONCE ids are remembered (interface 1.3: at least 10 minutes and 1,000 ids).
const (
	onceAge   = 10 * 60 * 1000 // milliseconds of log time
	onceCount = 1000           // ids that are kept whatever their age
	// onceMax bounds one user's table. An id beyond it is refused, and the command not run: forgetting an id that
	// is younger than ten minutes would break the promise made with it.
	onceMax = 100_000
)

// remembered is one id of ONCE and the first reply to it.
type remembered struct {
	id     string
	at     int64 // log time
	result Result
}

// onceTable is one user's recent ids, oldest first.
//
// Entries of order are only appended and resliced, never changed in place: a snapshot that holds an earlier slice
// keeps seeing what was in it.
type onceTable struct {
	order []remembered
	byID  map[string]Result
	sum   uint64 // of the hashes of all in order, for state.hash
	bytes int64  // of all in order, for Size

	memory int64 // of all in order, as limits count it
}

func (r *remembered) size() int64 { return int64(onceBytes + len(r.id)) }

func (t *onceTable) lookup(id []byte) (Result, bool) {
	r, ok := t.byID[string(id)]
	return r, ok
}

// full reports whether there is no space for another id at time now. It first forgets the ids that it may.
func (t *onceTable) full(now int64) bool {
	t.forget(now, onceMax)
	return len(t.order) >= onceMax
}

// forget forgets up to most of the ids that it may at time now.
func (t *onceTable) forget(now int64, most int) {
	for ; most > 0 && len(t.order) > onceCount && t.order[0].at <= now-onceAge; most-- {
		delete(t.byID, t.order[0].id)
		t.sum -= t.order[0].hash()
		t.bytes -= t.order[0].size()
		t.memory -= onceMemory(len(t.order[0].id))
		t.order = t.order[1:]
	}
}

// forgetPerEntry is how many ids of a user that does nothing one entry forgets.
const forgetPerEntry = 256

// forgetIdle forgets ids of one user, another one after each entry: a user that no longer uses ONCE would else keep what
// may be forgotten, which cannot be evicted.
func (s *state) forgetIdle() {
	if s.entries < version4 || s.users.last == 0 {
		return
	}
	a := s.users.byID[1+s.index%s.users.last]
	if a == nil {
		return
	}
	t := &a.once
	sum, bytes, memory := t.sum, t.bytes, t.memory
	t.forget(s.time, forgetPerEntry)
	s.sum += t.sum - sum
	s.onceBytes.Add(t.bytes - bytes)
	s.addFixed(a, t.memory-memory)
}

func (t *onceTable) remember(r remembered) {
	if t.byID == nil {
		t.byID = make(map[string]Result)
	}
	t.order = append(t.order, r)
	t.byID[r.id] = r.result
	t.sum += r.hash()
	t.bytes += r.size()
	t.memory += onceMemory(len(r.id))
}

func (r *remembered) hash() uint64 {
	return hashOf([]byte(r.id), uint64(r.at), uint64(r.result.Kind), uint64(r.result.N))
}
