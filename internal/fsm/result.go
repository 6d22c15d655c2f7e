package fsm

// Kind says what a Result is. The values are part of the snapshot (remembered ONCE replies):
// append only.
type Kind uint8

// The kinds of results. Those from KindUserExists on are refusals: nothing was changed.
const (
	KindNone     Kind = iota // no result: the command was not run
	KindOK                   // done
	KindInt                  // done; N is the integer to print
	KindExists               // NX: the key was there
	KindNotFound             // no such key (or XX, and the key was not there)
	KindConflict             // CAS: N is the version that the key has
	KindUser                 // SIGNUP: N is the new user's id
	KindUserExists
	KindSignupFull // limits.max_users reached
	KindNotANumber
	KindOverflow
	KindValueTooLarge // APPEND over the limit that came with the command
	KindSessionEnded  // the user id is gone
	KindAuthFailed    // the password was changed since it was verified
	KindMemoryFull    // the state is closed to what makes it grow: OpClose
	KindOnceFull      // the user has too many ids of ONCE that are younger than ten minutes
	KindUnread        // not every server of the cluster reads the operation: see Refuse
	KindBusy          // too many large values would have been copied at once: see Weights
	KindQuota         // the user's quota, or for what cannot be evicted its guarantee, does not allow it
	KindAtLimit       // it would take memory beyond the limit
	KindReserved      // reserves do not fit in that: N is the most that would, in bytes
)

// passes reports whether the same command may well go through when it is sent again.
func (k Kind) passes() bool {
	return k == KindMemoryFull || k == KindUnread || k == KindBusy || k == KindQuota || k == KindAtLimit
}

// Result is what applying one command gave: the same on every node.
type Result struct {
	Kind Kind
	N    int64
}
