package fsm

import "ciderd/internal/cache"

// Kind says what a Result is. The values are part of the snapshot (remembered ONCE replies):
// append only.
type Kind uint8

// The kinds of results. Those from KindUserExists to KindReserved are refusals: nothing was changed.
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

	KindNil       // there is nothing to return, or a condition was not met and nothing was done
	KindValue     // Details.Item is the value that was asked for
	KindExec      // Details.Results are those of the transaction's commands, of which there are N
	KindView      // Details.View is the keyspace; what has a deadline up to N, in Unix milliseconds, has expired
	KindNotAFloat // refused: a number of OpIncrFloat is none
	KindNotFinite // refused: the sum is no finite number
	KindSameKey   // refused: an item cannot be copied to its own key
	kindEnd
)

// detailed reports whether results of the kind have details. ONCE does not remember them: it would hold on to values
// that are no longer counted.
func (k Kind) detailed() bool { return k == KindValue || k == KindExec || k == KindView }

// passes reports whether the same command may well go through when it is sent again.
func (k Kind) passes() bool {
	return k == KindMemoryFull || k == KindUnread || k == KindBusy || k == KindQuota || k == KindAtLimit
}

// Result is what applying one command gave. Kind and N are the same on every node.
type Result struct {
	Kind Kind
	N    int64
	// Details are there for the kinds that have them, on the node that made the batch; on the others they are nil. Whoever
	// holds them keeps in memory what they refer to.
	Details *Details
}

// Details are what a result holds besides a number.
type Details struct {
	// Item of KindValue is the cache's own, unless it is small: its value must not be modified, and all of it stays in
	// memory as long as a part of it is held. Of values up to cache.CopiedUpto it is a copy.
	Item    cache.Item
	Results []Result    // of KindExec
	View    *cache.View // of KindView
}
