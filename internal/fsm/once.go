package fsm

// How long a user's ONCE ids are remembered (interface 1.3: at least 10 minutes and 1,000 ids).
const (
	onceAge   = 10 * 60 * 1000 // milliseconds of log time
	onceCount = 1000           // ids that are kept however old they are
	// onceMax bounds one user's table. What would go beyond it is refused, not run: forgetting an
	// id that is younger than ten minutes would break the promise that was made with it.
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
// order is only ever appended to and resliced, never changed in place: a snapshot that holds an
// earlier slice of it goes on seeing what was there.
type onceTable struct {
	order []remembered
	byID  map[string]Result
	sum   uint64 // of the hashes of all in order, for state.hash
	bytes int64  // of all in order, for Size
}

func (r *remembered) size() int64 { return int64(onceBytes + len(r.id)) }

func (t *onceTable) lookup(id []byte) (Result, bool) {
	r, ok := t.byID[string(id)]
	return r, ok
}

// full tells whether another id can be taken at time now, after forgetting what may be forgotten.
func (t *onceTable) full(now int64) bool {
	for len(t.order) > onceCount && t.order[0].at <= now-onceAge {
		delete(t.byID, t.order[0].id)
		t.sum -= t.order[0].hash()
		t.bytes -= t.order[0].size()
		t.order = t.order[1:]
	}
	return len(t.order) >= onceMax
}

func (t *onceTable) remember(r remembered) {
	if t.byID == nil {
		t.byID = make(map[string]Result)
	}
	t.order = append(t.order, r)
	t.byID[r.id] = r.result
	t.sum += r.hash()
	t.bytes += r.size()
}

func (r *remembered) hash() uint64 {
	return hashOf([]byte(r.id), uint64(r.at), uint64(r.result.Kind), uint64(r.result.N))
}
