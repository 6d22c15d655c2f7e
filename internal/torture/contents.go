package torture

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// contents is what a node tells of one user's cache: for each key the reply to GETV, so value and
// version. A write that was applied twice on one node shows in the version even where the value
// is the same.
type contents map[string]string

// value takes `VALUE version ttl value` apart.
func (s contents) value(key string) (string, bool) {
	reply, ok := s[key]
	if !ok {
		return "", false
	}
	return strings.SplitN(reply, " ", 4)[3], true
}

// digest stands for the contents once they have been judged.
func (s contents) digest() string {
	h := sha256.New()
	for _, key := range slices.Sorted(maps.Keys(s)) {
		fmt.Fprintf(h, "%s\n%s\n", key, s[key])
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// pageKeys is how many keys are asked for at once, and their values: big ones are 256 KiB.
const pageKeys = 100

// read asks a node for everything of a user, behind a SYNC.
func (n *node) read(user string) (contents, error) {
	c, err := n.dial(user)
	if err != nil {
		return nil, fmt.Errorf("%s: LOGIN %s: %w", n.name, user, err)
	}
	defer func() { _ = c.Close() }()
	if _, err := c.do("SYNC"); err != nil {
		return nil, fmt.Errorf("%s: SYNC: %w", n.name, err)
	}
	s := contents{}
	page := fmt.Sprintf("KEYS * LIMIT %d", pageKeys)
	for next := page; ; {
		keys, after, err := c.page(next)
		// These change by themselves, sooner or later by how far the node's log has got; see deadlines.go.
		keys = slices.DeleteFunc(keys, func(key string) bool {
			return strings.HasPrefix(key, "ttl:") || strings.HasPrefix(key, deadlinePrefix)
		})
		if err == nil {
			err = s.add(c, keys)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: reading %s: %w", n.name, user, err)
		}
		if after == "" {
			return s, nil
		}
		next = page + " AFTER " + after
	}
}

func (s contents) add(c *conn, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	lines := make([]string, len(keys))
	for i, key := range keys {
		lines[i] = "GETV " + key
	}
	replies, err := c.pipeline(lines...)
	if err != nil {
		return err
	}
	for i, key := range keys {
		if strings.Count(replies[i], " ") < 3 || !strings.HasPrefix(replies[i], "VALUE ") {
			return fmt.Errorf("GETV %s: %.60q", key, replies[i])
		}
		s[key] = replies[i]
	}
	return nil
}

// readAll reads a user on every node and tells in what they differ. Nothing writes meanwhile.
func (c *cluster) readAll(user string) (contents, error) {
	first, err := c.nodes[0].read(user)
	if err != nil {
		return nil, violationf("%v", err)
	}
	var errs []error
	for _, n := range c.nodes[1:] {
		other, err := n.read(user)
		if err != nil {
			return nil, violationf("%v", err)
		}
		if err := differ(first, other); err != nil {
			errs = append(errs, violationf("%s and %s differ in the contents of %s: %v", c.nodes[0].name, n.name, user, err))
		}
	}
	return first, errors.Join(errs...)
}

// differ tells how b differs from a; nil: not at all.
func differ(a, b contents) error {
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
