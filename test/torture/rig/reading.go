package rig

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"ciderd/test/torture/judge"
)

// PageKeys is how many keys are asked for at once, and their values: big ones are 256 KiB.
const PageKeys = 100

// Read asks a node for everything of a user, behind a SYNC.
func (n *Node) Read(user string) (judge.Contents, error) {
	c, err := n.Dial(user)
	if err != nil {
		return nil, fmt.Errorf("%s: LOGIN %s: %w", n.Name, user, err)
	}
	defer func() { _ = c.Close() }()
	if _, err := c.Do("SYNC"); err != nil {
		return nil, fmt.Errorf("%s: SYNC: %w", n.Name, err)
	}
	s := judge.Contents{}
	page := fmt.Sprintf("KEYS * LIMIT %d", PageKeys)
	for next := page; ; {
		keys, after, err := c.Page(next)
		// These change by themselves, sooner or later by how far the node's log has got; see judge.Deadlines.
		keys = slices.DeleteFunc(keys, func(key string) bool {
			return strings.HasPrefix(key, "ttl:") || strings.HasPrefix(key, judge.DeadlinePrefix)
		})
		if err == nil {
			err = addTo(s, c, keys)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: reading %s: %w", n.Name, user, err)
		}
		if after == "" {
			return s, nil
		}
		next = page + " AFTER " + after
	}
}

// addTo asks for the keys.
func addTo(s judge.Contents, c *Conn, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	lines := make([]string, len(keys))
	for i, key := range keys {
		lines[i] = "GETV " + key
	}
	replies, err := c.Pipeline(lines...)
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

// ReadAll reads a user on every node and tells in what they differ. Nothing writes meanwhile.
func (c *Cluster) ReadAll(user string) (judge.Contents, error) {
	first, err := c.Nodes[0].Read(user)
	if err != nil {
		return nil, judge.Violationf("%v", err)
	}
	var errs []error
	for _, n := range c.Nodes[1:] {
		other, err := n.Read(user)
		if err != nil {
			return nil, judge.Violationf("%v", err)
		}
		if err := judge.Differ(first, other); err != nil {
			errs = append(errs, judge.Violationf("%s and %s differ in the contents of %s: %v", c.Nodes[0].Name, n.Name, user, err))
		}
	}
	return first, errors.Join(errs...)
}
