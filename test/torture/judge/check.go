package judge

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// checkLimit bounds one search of porcupine's; what is not decided by then is counted, not judged.
const checkLimit = 60 * time.Second

// sharedKinds begin the keys that other checks look at.
var sharedKinds = []string{"reg", "cas", "log", "big", "ttl", "mix", "bank"}

// Missing judges what the clients were told by what is there in the end, the same on all nodes.
func Missing(t Told, s Contents) []error {
	var errs []error
	expected := map[string]bool{"pair:a": true, "pair:b": true, SharedCounter: true, OnceCounter: true}
	errs = append(errs, checkSets(t.Sets, s, expected)...)
	errs = append(errs, checkCounter(t.Counts, s)...)
	errs = append(errs, checkOnce(t.Onces, s)...)
	errs = append(errs, checkLogs(t.Logs, s)...)
	for key := range s {
		kind, _, _ := strings.Cut(key, ":")
		if !slices.Contains(sharedKinds, kind) && !expected[key] {
			errs = append(errs, Violationf("invented: key %s, which nobody wrote", key))
		}
	}
	return errs
}

// checkSets: every OK is there, and nothing else but what may be.
func checkSets(clients []SetRecord, s Contents, expected map[string]bool) (errs []error) {
	for _, w := range clients {
		for _, seq := range w.Acked {
			key := w.Key(seq)
			expected[key] = true
			if got, ok := s.value(key); !ok || got != strconv.Itoa(seq) {
				errs = append(errs, Violationf("lost: %s was OK and is now %q", key, got))
			}
		}
		for _, seq := range w.Unknown {
			key := w.Key(seq)
			expected[key] = true
			if got, ok := s.value(key); ok && got != strconv.Itoa(seq) {
				errs = append(errs, Violationf("invented: %s is %q", key, got))
			}
		}
	}
	return errs
}

// number reads a counter; one that is not there is 0.
func (s Contents) number(key string) (int64, error) {
	text, ok := s.value(key)
	if !ok {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, Violationf("counter %s is %q", key, text)
	}
	return n, nil
}

// checkCounter: the counter is what was answered, plus at most what is not known; and no two clients
// were given the same number.
func checkCounter(clients []CountRecord, s Contents) (errs []error) {
	var replies []int64
	unknown := 0
	for _, w := range clients {
		replies = append(replies, w.Replies...)
		unknown += w.Unknown
	}
	n, err := s.number(SharedCounter)
	if err != nil {
		return []error{err}
	}
	if n < int64(len(replies)) || n > int64(len(replies)+unknown) {
		errs = append(errs, Violationf("INCR: the counter is %d after %d answers and %d unknown", n, len(replies), unknown))
	}
	return append(errs, distinct("INCR", replies, n)...)
}

// checkOnce: each id counted once, wherever and how often it was sent.
func checkOnce(clients []OnceRecord, s Contents) (errs []error) {
	var replies []int64
	pending := 0
	for _, w := range clients {
		replies = append(replies, w.Replies...)
		if w.Pending {
			pending++
		}
	}
	n, err := s.number(OnceCounter)
	if err != nil {
		return []error{err}
	}
	if n < int64(len(replies)) || n > int64(len(replies)+pending) {
		errs = append(errs, Violationf("ONCE: the counter is %d after %d answers and %d without one", n, len(replies), pending))
	}
	return append(errs, distinct("ONCE", replies, n)...)
}

func distinct(verb string, replies []int64, highest int64) (errs []error) {
	slices.Sort(replies)
	for i, n := range replies {
		if n < 1 || n > highest {
			errs = append(errs, Violationf("%s answered %d, and the counter is %d in the end", verb, n, highest))
		}
		if i > 0 && n == replies[i-1] {
			errs = append(errs, Violationf("%s answered %d twice", verb, n))
		}
	}
	return errs
}

// checkLogs: every acknowledged token is there, none twice, each client's in its order.
func checkLogs(clients []LogRecord, s Contents) (errs []error) {
	may := map[string]int{} // how often a token may still come
	for _, w := range clients {
		for _, seq := range slices.Concat(w.Acked, w.Unknown) {
			may[w.Token(seq)] = 1
		}
	}
	found := map[string]bool{}
	last := map[string]int{} // of a client
	for key := range s {
		if !strings.HasPrefix(key, "log:") {
			continue
		}
		clear(last)
		value, _ := s.value(key)
		for token := range strings.SplitAfterSeq(value, ";") {
			if token == "" {
				continue
			}
			if may[token]--; may[token] < 0 {
				errs = append(errs, Violationf("APPEND: token %.40q is in %s once too often, or by nobody", token, key))
			}
			found[token] = true
			owner, seq := tokenParts(token)
			if seq <= last[owner] {
				errs = append(errs, Violationf("APPEND: token %s comes after number %d of the same client in %s", token, last[owner], key))
			}
			last[owner] = seq
		}
	}
	for _, w := range clients {
		for _, seq := range w.Acked {
			if !found[w.Token(seq)] {
				errs = append(errs, Violationf("lost: token %s, which was acknowledged", w.Token(seq)))
			}
		}
	}
	return errs
}

func tokenParts(token string) (owner string, seq int) {
	owner, rest, _ := strings.Cut(strings.TrimSuffix(token, ";"), ".")
	seq, err := strconv.Atoi(rest)
	if err != nil {
		return fmt.Sprintf("odd token %q", token), 0
	}
	return owner, seq
}
