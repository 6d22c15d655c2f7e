package api

// MostUsers is how many users a page has at most, so that a reply stays far below its bound.
const MostUsers = 500

type (
	// UserRequest asks for an account, or for another password.
	UserRequest struct {
		Name     string
		Password []byte
	}
	// NameRequest is about one user.
	NameRequest struct{ Name string }
	// LockRequest asks to lock a user, or to unlock it.
	LockRequest struct {
		Name   string
		Locked bool
	}
	// PageRequest asks for users whose ids are above After, Most of them at most; 0: MostUsers.
	PageRequest struct {
		After uint64
		Most  int
	}
	// UserPage is some users, in the order of their ids. It may be empty and not be the last.
	UserPage struct {
		Users []User
		Next  uint64 // After of the next page; 0: there are no more
	}
	// User is one user as the node that is asked sees it. Amounts are in bytes.
	User struct {
		Name   string
		ID     uint64
		Locked bool
		// Restoring: a restore is putting it back. Nobody can log in until that has come to its end.
		Restoring bool `json:",omitempty"`
		Keys      int
		Memory    int64
		Quota     int64 // its own, or the default one; 0: none
		// OwnQuota is 0 where the default one holds.
		OwnQuota int64
		Reserve  int64
		// Guarantee is up to how much it loses nothing to others at present; null: there is no limit.
		Guarantee *int64
		Evicted   uint64
		Sessions  int // on the node that is asked
	}
)
