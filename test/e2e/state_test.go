//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"

	"ciderd/test/harness"
)

// A state is what a node tells of one user's cache: for each key the reply to
// GETV, so value and version. Versions count changes: a write that was applied
// twice on one node shows even where the value is the same.
type state map[string]string

// stateOf asks for everything, after a SYNC.
func stateOf(n *harness.Node, user string) (state, error) {
	c, err := n.Dial()
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }()
	if err := c.Login(user, harness.Password); err != nil {
		return nil, fmt.Errorf("%s: LOGIN: %w", n.Name, err)
	}
	if _, err := c.Do("SYNC"); err != nil {
		return nil, fmt.Errorf("%s: SYNC: %w", n.Name, err)
	}
	s := make(state)
	command := "KEYS * LIMIT 1000"
	for {
		keys, next, err := c.DoPage(command)
		if err != nil {
			return nil, err
		}
		if err := s.add(c, keys); err != nil {
			return nil, err
		}
		if next == "" {
			return s, nil
		}
		command = "KEYS * LIMIT 1000 AFTER " + next
	}
}

func (s state) add(c *harness.Client, keys []string) error {
	lines := make([]string, len(keys))
	for i, key := range keys {
		lines[i] = "GETV " + key
	}
	if len(lines) == 0 {
		return nil
	}
	replies, err := c.Pipeline(lines...)
	if err != nil {
		return err
	}
	for i, key := range keys {
		if !strings.HasPrefix(replies[i], "VALUE ") {
			return fmt.Errorf("GETV %s: %q", key, replies[i])
		}
		s[key] = replies[i]
	}
	return nil
}

// value takes `VALUE version ttl value` apart.
func (s state) value(key string) (string, bool) {
	reply, ok := s[key]
	if !ok {
		return "", false
	}
	return strings.SplitN(reply, " ", 4)[3], true
}

// number is a counter's value; 0 where there is none.
func (s state) number(key string) int {
	text, _ := s.value(key)
	n, _ := strconv.Atoi(text)
	return n
}

// differ names some of the keys in which two states are not the same.
func differ(a, b state) error {
	var all []error
	for key := range maps.Keys(a) {
		if a[key] != b[key] {
			all = append(all, fmt.Errorf("%s: %s and %s", key, harness.Short(a[key]), harness.Short(b[key])))
		}
	}
	for key := range maps.Keys(b) {
		if _, ok := a[key]; !ok {
			all = append(all, fmt.Errorf("%s: nothing and %s", key, harness.Short(b[key])))
		}
	}
	if len(all) > 5 {
		all = append(all[:5], fmt.Errorf("… and %d more", len(all)-5))
	}
	return errors.Join(all...)
}

// sameEverywhere waits until all nodes tell the same of a user; a write whose
// end nobody knows may still be on its way. The nodes must all serve.
func sameEverywhere(t *testing.T, c *harness.Cluster, user string) state {
	t.Helper()
	var first state
	harness.Eventually(t, "all nodes equal for "+user, func() (err error) {
		if first, err = stateOf(c.Nodes[0], user); err != nil {
			return err
		}
		for _, n := range c.Nodes[1:] {
			s, err := stateOf(n, user)
			if err != nil {
				return err
			}
			if err := differ(first, s); err != nil {
				return fmt.Errorf("%s and %s: %w", c.Nodes[0].Name, n.Name, err)
			}
		}
		return nil
	})
	return first
}

// check judges a load that has halted: by what each node tells after a SYNC,
// every success is there, once, and in order. Clients of survivors must have
// had no error at all.
func (l *load) check(t *testing.T, c *harness.Cluster, survivors []*harness.Node) {
	t.Helper()
	for _, w := range l.writers {
		report(t, "reply", w.wrong)
		if contains(survivors, w.node) {
			report(t, "an error on a node that survived", w.errs)
		}
	}
	for _, r := range l.readers {
		report(t, "went back", r.bad)
	}
	for _, n := range c.Nodes {
		var s state
		harness.Eventually(t, "state of "+n.Name, func() (err error) {
			s, err = stateOf(n, l.user)
			return err
		})
		report(t, "on "+n.Name, l.missing(s))
	}
	report(t, "in the end", l.missing(sameEverywhere(t, c, l.user)))
}

func report(t *testing.T, what string, errs []error) {
	t.Helper()
	for i, err := range errs {
		if i == 5 {
			t.Errorf("%s: … and %d more", what, len(errs)-i)
			return
		}
		t.Errorf("%s: %v", what, err)
	}
}

// missing lists what a state does not have and should, or has and should not.
func (l *load) missing(s state) []error {
	var errs []error
	low, high := 0, 0
	for _, w := range l.writers {
		n := len(w.acked)
		switch w.kind {
		case kindSet:
			errs = append(errs, w.missingKeys(s)...)
		case kindOwn:
			errs = append(errs, within(s, w.ownKey(), n, n+len(w.unknown))...)
		case kindShared:
			low, high = low+n, high+n+len(w.unknown)
		}
	}
	errs = append(errs, within(s, sharedKey, low, high)...)
	return append(errs, l.missingTokens(s)...)
}

func within(s state, key string, low, high int) []error {
	if n := s.number(key); n < low || n > high {
		return []error{fmt.Errorf("%s is %d, want %d to %d", key, n, low, high)}
	}
	return nil
}

func (w *writer) missingKeys(s state) (errs []error) {
	for _, seq := range w.acked {
		if value, ok := s.value(w.setKey(seq)); !ok || value != strconv.Itoa(seq) {
			errs = append(errs, fmt.Errorf("lost: %s is %q", w.setKey(seq), value))
		}
	}
	return errs
}

// missingTokens reads the logs: each token that was answered is there once,
// each unknown one at most once, and each writer's own are in its order.
func (l *load) missingTokens(s state) (errs []error) {
	count := make(map[string]int)
	last := make(map[string]int)
	for k := 0; ; k++ {
		text, ok := s.value(logKey(k * logTokens))
		if !ok {
			break
		}
		for _, token := range strings.Split(strings.TrimSuffix(text, ";"), ";") {
			count[token+";"]++
			name, number, _ := strings.Cut(token, "-")
			seq, err := strconv.Atoi(number)
			if err != nil {
				errs = append(errs, fmt.Errorf("odd token %q: %w", token, err))
			}
			if before, ok := last[name]; ok && seq <= before {
				errs = append(errs, fmt.Errorf("%s: %d comes after %d", name, seq, before))
			}
			last[name] = seq
		}
	}
	for _, w := range l.writers {
		if w.kind == kindAppend {
			errs = append(errs, w.countTokens(count)...)
		}
	}
	for token, n := range count {
		errs = append(errs, fmt.Errorf("token %q: %d times too often", token, n))
	}
	return errs
}

// countTokens takes the writer's tokens out of count, so that what is left was
// there too often or never sent.
func (w *writer) countTokens(count map[string]int) (errs []error) {
	take := func(token string) bool {
		n := count[token]
		if n <= 1 {
			delete(count, token)
		} else {
			count[token] = n - 1
		}
		return n > 0
	}
	for _, seq := range w.acked {
		if !take(w.token(seq)) {
			errs = append(errs, fmt.Errorf("lost: token %s", w.token(seq)))
		}
	}
	for _, seq := range w.unknown {
		take(w.token(seq))
	}
	return errs
}
