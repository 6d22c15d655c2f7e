package torture

import (
	"fmt"

	"ciderd/test/torture/judge"
	"ciderd/test/torture/rig"
)

const (
	// floodAtLeast is stored before anything is broken, in bytes: more than the limit.
	floodAtLeast = limitedMemory + limitedMemory/2
	// reserved is kept for the user that all is judged by: as long as it has less, it loses nothing. Its memory may have
	// been a little more than it is in the end.
	reserved   = 6 << 20
	surelyLess = 5 << 20
)

// atLimit makes the users of a round at a limit, and gives the round's own a reserve.
func (p *play) atLimit() error {
	p.notes = append(p.notes, fmt.Sprint("at a limit: ", p.deal.limits))
	for _, name := range []string{p.floodUser(), p.bigUser()} {
		if err := p.makeUser(name); err != nil {
			return err
		}
	}
	return p.reserve(fmt.Sprintf("%dKiB", reserved>>10))
}

func (p *play) reserve(size string) error {
	return rig.Until(p.ctx, rig.HealLimit, "a reserve of "+size, func() error {
		_, err := p.cluster.Nodes[0].Operate(p.ctx, "user", "reserve", p.user(), size)
		return err
	})
}

// judgeFlood compares what a flood was told with what is left of it, and lets it go.
func (p *play) judgeFlood(t judge.Told) {
	s, share, err := p.cluster.ReadShared(p.floodUser())
	p.bad.Add(err)
	if err == nil {
		for _, err := range judge.CheckFlood(t.Floods, s, share.Evicted) {
			p.bad.Add(err)
		}
		p.notes = append(p.notes, fmt.Sprintf("flood: %d keys are there, %d were evicted", len(s), share.Evicted))
		if !p.deal.limits.Reject && share.Evicted == 0 {
			p.bad.Add(fmt.Errorf("the flood was too small: nothing was evicted"))
		}
		p.judgeRejects(share)
	}
	if !p.deal.limits.Reject {
		p.bad.Add(p.cluster.WithinLimit())
	}
	for _, name := range []string{p.floodUser(), p.bigUser()} {
		p.bad.Add(p.unregister(name))
	}
	p.bad.Add(p.reserve("none"))
}

func (p *play) judgeRejects(share rig.Share) {
	if p.deal.limits.Reject && share.Evicted > 0 {
		p.bad.Add(judge.Violationf("%d keys were evicted, with when_full = reject", share.Evicted))
	}
}

// judgeShare wants the round's user to have lost nothing.
func (p *play) judgeShare(share rig.Share) {
	if p.deal.limits.MaxMemory > 0 && share.Memory > surelyLess {
		p.notes = append(p.notes, fmt.Sprintf("%s has outgrown its share: %+v", p.user(), share))
		return
	}
	if share.Evicted > 0 {
		p.bad.Add(judge.Violationf("%d keys of %s were evicted, which has %d bytes and a reserve of %d", share.Evicted, p.user(), share.Memory, reserved))
	}
}
