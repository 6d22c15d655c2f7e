package fsm

// Listed is a user with what counts for it.
type Listed struct {
	User
	Usage
}

// holes is how many ids for each place of a page are looked at: those of users that are gone are never used again.
const holes = 16

// Page returns at most that many users whose ids are above after, in their order, and the id to go on from; 0: there
// are no more. A page may be short, or empty, and not be the last. It costs the same however many users there are, and
// may be called from any goroutine.
func (s Shares) Page(after uint64, most int) (page []Listed, next uint64) {
	some, next := s.state.users.above(after, most)
	for _, a := range some {
		page = append(page, Listed{a.user, s.usage(a.account)})
	}
	return page, next
}

// seated is an account with its user as it was under the lock.
type seated struct {
	user    User
	account *account
}

func (u *users) above(after uint64, most int) (some []seated, next uint64) {
	u.mu.RLock()
	defer u.mu.RUnlock()
	for id, end := after+1, after+uint64(most)*holes; id <= u.last; id++ {
		if a := u.byID[id]; a != nil {
			some = append(some, seated{*a.user, a})
		}
		if len(some) == most || id == end {
			return some, id
		}
	}
	return some, 0
}
