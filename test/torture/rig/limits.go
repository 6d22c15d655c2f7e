package rig

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"ciderd/test/torture/judge"
)

// Limits are the cluster's limits on memory.
type Limits struct {
	MaxMemory int64 // bytes; 0: none
	Reject    bool
}

// hcl is how the file says it.
func (l Limits) hcl() string {
	memory, full := "none", "evict"
	if l.MaxMemory > 0 {
		memory = fmt.Sprintf("%dKiB", l.MaxMemory>>10)
	}
	if l.Reject {
		full = "reject"
	}
	return fmt.Sprintf("max_memory = %q\n  when_full = %q", memory, full)
}

func (l Limits) String() string {
	return strings.Join(strings.Fields(strings.ReplaceAll(l.hcl(), "\n", ",")), " ")
}

// heldLimits is what `ciderd limits -json` says, of what torture looks at.
type heldLimits struct {
	MaxMemory, Memory int64
	WhenFull          string
}

func (n *Node) limits(c *Cluster) (h heldLimits, err error) {
	said, err := n.Operate(c.ctx, "limits", "-json")
	if err == nil {
		err = json.Unmarshal([]byte(said), &h)
	}
	return h, err
}

// SetLimits changes the file of all nodes, which must run, and waits until all go by it and have nothing above it.
func (c *Cluster) SetLimits(l Limits) error {
	if l == c.limits {
		return nil
	}
	c.limits = l
	if err := c.reload(); err != nil {
		return err
	}
	for _, n := range c.Nodes {
		err := Until(c.ctx, HealLimit, n.Name+" has the limits of the file", func() error {
			h, err := n.limits(c)
			if err == nil && (h.MaxMemory != l.MaxMemory || (h.WhenFull == "reject") != l.Reject) {
				err = fmt.Errorf("%+v, want %v", h, l)
			}
			return err
		})
		if err == nil && !l.Reject {
			err = c.withinLimit(n)
		}
		if err != nil {
			return judge.Violationf("%v", err)
		}
	}
	return nil
}

// WithinLimit wants memory to be below the limit on all nodes, once nothing writes.
func (c *Cluster) WithinLimit() error {
	var errs []error
	for _, n := range c.Nodes {
		if err := c.withinLimit(n); err != nil {
			errs = append(errs, judge.Violationf("%v", err))
		}
	}
	return errors.Join(errs...)
}

func (c *Cluster) withinLimit(n *Node) error {
	return Until(c.ctx, HealLimit, n.Name+" is below its limit", func() error {
		h, err := n.limits(c)
		if err == nil && h.MaxMemory > 0 && h.Memory > h.MaxMemory {
			err = fmt.Errorf("%+v", h)
		}
		return err
	})
}

// Share is what STATS tells of one user's memory.
type Share struct{ Memory, Evicted int64 }

// Share asks a node, behind a SYNC.
func (n *Node) Share(user string) (s Share, err error) {
	c, err := n.Dial(user)
	if err != nil {
		return s, fmt.Errorf("%s: LOGIN %s: %w", n.Name, user, err)
	}
	defer func() { _ = c.Close() }()
	if _, err := c.Do("SYNC"); err != nil {
		return s, fmt.Errorf("%s: SYNC: %w", n.Name, err)
	}
	lines, _, err := c.Page("STATS")
	for _, line := range lines {
		name, value, _ := strings.Cut(line, " ")
		number, _ := strconv.ParseInt(value, 10, 64)
		switch name {
		case "memory":
			s.Memory = number
		case "evicted":
			s.Evicted = number
		}
	}
	return s, err
}

// evictsOn is how long a leader may go on evicting ahead of need once nothing is written.
const evictsOn = 10 * time.Second

// ReadShared is ReadAll with what STATS tells, once nothing more is evicted: all nodes count the same before and after.
func (c *Cluster) ReadShared(user string) (contents judge.Contents, share Share, err error) {
	err = Until(c.ctx, evictsOn, "the share of "+user+" is the same everywhere", func() (err error) {
		before, err := c.evicted(user)
		if err != nil {
			return err
		}
		if contents, err = c.ReadAll(user); err != nil {
			return err
		}
		if share, err = c.evicted(user); err == nil && share.Evicted != before.Evicted {
			err = fmt.Errorf("%d were evicted, and now %d", before.Evicted, share.Evicted)
		}
		return err
	})
	if err != nil {
		err = judge.Violationf("%v", err)
	}
	return contents, share, err
}

// evicted wants all nodes to count the same for a user.
func (c *Cluster) evicted(user string) (share Share, err error) {
	for i, n := range c.Nodes {
		s, err := n.Share(user)
		if err != nil {
			return s, err
		}
		if i > 0 && s.Evicted != share.Evicted {
			return s, fmt.Errorf("%s counts %d evicted keys of %s, and %s %d", c.Nodes[0].Name, share.Evicted, user, n.Name, s.Evicted)
		}
		share = s
	}
	return share, nil
}
