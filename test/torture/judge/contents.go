package judge

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
)

// Contents is what a node tells of one user's cache: for each key the reply to GETV, so value and
// version. A write that was applied twice on one node shows in the version even where the value
// is the same.
type Contents map[string]string

// value takes `VALUE version ttl value` apart.
func (s Contents) value(key string) (string, bool) {
	reply, ok := s[key]
	if !ok {
		return "", false
	}
	return strings.SplitN(reply, " ", 4)[3], true
}

// Digests has a few bytes in place of each reply: it stands for the contents once they have been judged.
func (s Contents) Digests() Contents {
	digests := make(Contents, len(s))
	for key, reply := range s {
		sum := sha256.Sum256([]byte(reply))
		digests[key] = fmt.Sprintf("%x", sum[:8])
	}
	return digests
}

// Differ tells how b differs from a; nil: not at all.
func Differ(a, b Contents) error {
	var keys []string
	for key, reply := range a {
		if b[key] != reply {
			keys = append(keys, key)
		}
	}
	for key := range b {
		if _, ok := a[key]; !ok {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	slices.Sort(keys)
	key := keys[0]
	return fmt.Errorf("%d keys of %d and %d; %s is %.60q and %.60q", len(keys), len(a), len(b), key, a[key], b[key])
}
