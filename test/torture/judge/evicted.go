package judge

import (
	"fmt"
	"strconv"
	"strings"
)

// FloodPrefix begins the keys of clients that store more than there is memory for.
const FloodPrefix = "flood:"

// FloodRecord is of a client that stores a new key each time, and deletes some of its own: how many of them were OK,
// and of how many nothing is known.
type FloodRecord struct {
	ID, Last                int // Last is the number of its newest key
	Acked, Unknown          int
	Deleted, UnknownDeleted int
}

// Key is the client's key of that number.
func (r *FloodRecord) Key(seq int) string { return fmt.Sprintf("%s%d:%d", FloodPrefix, r.ID, seq) }

// FloodValue is the one value that a key of a flood ever has: 200 bytes to some KiB.
func FloodValue(key string) string {
	size := 200
	for _, b := range []byte(key) {
		size = (size*31 + int(b)) % 4001
	}
	size += 200
	return strings.Repeat(key+".", size/(len(key)+1)+1)[:size]
}

// CheckFlood wants all that was stored to be there, deleted or counted as evicted, and nothing else; what is there has
// its value. A key whose SET or DELETE has an unknown end may count or not: the check is exact but for those.
func CheckFlood(clients []FloodRecord, s Contents, evicted int64) (errs []error) {
	byID := map[int]FloodRecord{}
	var least, most, deleted int64
	for _, r := range clients {
		byID[r.ID] = r
		least += int64(r.Acked - r.UnknownDeleted)
		most += int64(r.Acked + r.Unknown)
		deleted += int64(r.Deleted)
	}
	if n := int64(len(s)) + deleted + evicted; n < least || n > most {
		errs = append(errs, Violationf("a flood of %d to %d keys: %d are there, %d deleted, %d counted as evicted: %d in all",
			least, most, len(s), deleted, evicted, n))
	}
	for key := range s {
		id, seq, ok := floodKey(key)
		if r, known := byID[id]; !ok || !known || seq < 1 || seq > r.Last {
			errs = append(errs, Violationf("invented: key %s, which nobody wrote", key))
		} else if got, _ := s.value(key); got != FloodValue(key) {
			errs = append(errs, Violationf("%s is %.60q", key, got))
		}
	}
	return errs
}

func floodKey(key string) (id, seq int, ok bool) {
	owner, number, _ := strings.Cut(strings.TrimPrefix(key, FloodPrefix), ":")
	id, err := strconv.Atoi(owner)
	seq, bad := strconv.Atoi(number)
	return id, seq, err == nil && bad == nil && strings.HasPrefix(key, FloodPrefix)
}

// Lost counts the keys that have gone since the contents were then. Anything else that has changed is an error.
func (s Contents) Lost(then Contents) (int64, error) {
	there := Contents{}
	for key := range s {
		if reply, ok := then[key]; ok {
			there[key] = reply
		}
	}
	return int64(len(then) - len(there)), Differ(there, s)
}
