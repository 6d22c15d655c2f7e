package torture

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"ciderd/test/torture/faults"
	"ciderd/test/torture/judge"
	"ciderd/test/torture/load"
	"ciderd/test/torture/rig"
)

// play is one round from its user's SIGNUP to the last verdict.
type play struct {
	*run
	number    int
	deal      deal
	history   string
	logs      []int64 // sizes when it began
	starts    []int64 // of each node's process, as it began
	notes     []string
	bad       judge.Complaints
	ops       int64
	undecided int
	gap       []time.Duration // the longest without an OK on a quiet node, if one was
}

func (p *play) user() string { return fmt.Sprintf("round-%d", p.number) }

// bigUser stores what fills logs and disks. At a limit that is another one, as a user that has more than its share loses
// keys.
func (p *play) bigUser() string {
	if p.deal.limits.MaxMemory == 0 {
		return p.user()
	}
	return p.user() + "-big"
}

func (p *play) floodUser() string {
	if p.deal.limits.MaxMemory == 0 {
		return ""
	}
	return p.user() + "-flood"
}

// play returns an error that is not the daemon's; violations are in bad.
func (p *play) play() error {
	var err error
	if p.deal.limits.Reject {
		err = p.forgetAll()
	}
	if err == nil {
		err = p.cluster.SetLimits(p.deal.limits)
	}
	if err == nil {
		err = p.cluster.SetEncrypted(p.deal.encrypted)
	}
	if p.deal.encrypted {
		p.notes = append(p.notes, "encrypted")
	}
	if err == nil {
		err = p.makeUser(p.user())
	}
	if err == nil && p.deal.limits.MaxMemory > 0 {
		err = p.atLimit()
	}
	if err == nil {
		err = p.underLoad()
	}
	rest := p.bad.Sort(err)
	p.judgeProcesses()
	return rest
}

// makeUser makes the account and sees it on every node, before anything is broken.
func (p *play) makeUser(name string) error {
	for i, n := range p.cluster.Nodes {
		err := rig.Until(p.ctx, rig.HealLimit, name+" on "+n.Name, func() error {
			if i == 0 {
				return n.SignUp(name)
			}
			c, err := n.Dial(name)
			if err != nil {
				return err
			}
			return c.Close()
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *play) underLoad() error {
	l, err := load.Start(p.user(), load.Flood{User: p.floodUser(), Reject: p.deal.limits.Reject}, p.cluster.Nodes, p.history, p.deal.seed)
	if err != nil {
		return err
	}
	err = l.Progress(p.ctx, 10, rig.HealLimit)
	if err == nil {
		err = l.Fill(p.ctx, floodAtLeast)
	}
	if err == nil {
		err = p.breakIt(l)
	}
	p.judgeEnds()
	// What must follow the fault follows it also where the fault itself went wrong: there is more
	// to learn.
	heal := p.cluster.Heal()
	if heal == nil {
		heal = p.cluster.WaitServing(p.cluster.Nodes...)
	}
	if heal == nil && len(p.deal.faults) > 1 { // one of them may have taken a node out
		heal = p.cluster.AllVote()
	}
	if heal == nil {
		heal = l.Progress(p.ctx, 10, rig.HealLimit)
	}
	err = errors.Join(err, heal, l.Halt())
	p.ops = l.Ops.Load()
	if d, ok := l.Gaps.Longest(p.quiet()...); ok {
		p.gap = append(p.gap, d)
	}
	if seen := l.Seen(); seen != "" {
		p.notes = append(p.notes, "errors of clients:"+seen)
	}
	complaints, _ := l.Bad.All()
	for _, e := range complaints {
		p.bad.Add(e)
	}
	p.judgeEnds()
	if p.ctx.Err() == nil && heal == nil {
		p.judge(l)
	}
	return err
}

// breakIt does what the deal says.
func (p *play) breakIt(l *load.Load) error {
	r := &faults.Round{
		Ctx: p.ctx, Cluster: p.cluster, Load: l, Random: p.deal.random(), Combined: len(p.deal.faults) > 1, Brief: p.deal.brief, Past: p.past, BigUser: p.bigUser(),
		Say: func(format string, args ...any) { p.notes = append(p.notes, fmt.Sprintf(format, args...)) },
	}
	if r.Combined {
		rig.Strained(judge.Departed, r.Cluster.Nodes...)
		for _, n := range r.Cluster.Nodes {
			n.MayEnd = true
		}
	}
	for _, f := range p.deal.faults {
		if f.Act != nil {
			if err := f.Act(r); err != nil {
				return err
			}
			continue
		}
		if err := f.Hold(r); err != nil {
			return err
		}
		longest := f.Longest
		if p.deal.brief {
			longest = min(longest, briefest)
		}
		d := r.Between(f.Shortest, longest)
		if r.Combined {
			d /= 4
		}
		if err := r.Pass(d); err != nil {
			return err
		}
	}
	return nil
}

// judgeEnds complains about processes that have ended though nothing was to end them.
func (p *play) judgeEnds() {
	for i, n := range p.cluster.Nodes {
		if !n.Running() && !n.MayEnd && p.ctx.Err() == nil {
			p.bad.Add(judge.Violationf("%s ended by itself; its last line: %.300s", n.Name, n.Log.LastLine(p.logs[i])))
			n.MayEnd = true // once is enough
		}
	}
}

// judgeProcesses looks for what must not be in a log.
func (p *play) judgeProcesses() {
	for i, n := range p.cluster.Nodes {
		p.bad.Add(n.Log.Judge(p.logs[i]))
	}
}

// judge reads what is there in the end and compares it with what clients were told.
func (p *play) judge(l *load.Load) {
	t := l.Told()
	if p.deal.limits.MaxMemory > 0 {
		p.judgeFlood(t)
	}
	s, share, err := p.cluster.ReadShared(p.user())
	p.bad.Add(err)
	if s == nil {
		return
	}
	p.judgeShare(share)
	for _, err := range judge.Missing(t, s) {
		p.bad.Add(err)
	}
	p.judgeDeadlines(l)
	registers, swaps := judge.LastReads(t.Registers, t.Swaps, s, l.Now())
	errs, undecided := judge.CheckRegisters(registers)
	more, also := judge.CheckCAS(swaps)
	wrong, open := judge.CheckTransactions(judge.LastTransactions(t.Transactions, s, l.Now()))
	p.undecided = undecided + also + open
	for _, err := range slices.Concat(errs, more, wrong) {
		p.bad.Add(err)
	}
	p.bad.Add(p.remember(faults.NewPastUser(p.user(), s, share)))
}

// judgeDeadlines reads what has a deadline once more, on every node, and judges all such readings.
func (p *play) judgeDeadlines(l *load.Load) {
	if err := l.ReadDeadlines(); err != nil {
		p.bad.Add(err)
		return
	}
	untouched := true
	for i, n := range p.cluster.Nodes {
		untouched = untouched && judge.Strain(n.Level.Load()) == judge.Quiet && n.Starts.Load() == p.starts[i]
	}
	for _, err := range l.Deadlines.Judge(l.Gaps, untouched) {
		p.bad.Add(err)
	}
}

// quiet are the names of the nodes to which nothing was done.
func (p *play) quiet() (names []string) {
	for _, n := range p.cluster.Nodes {
		if judge.Strain(n.Level.Load()) == judge.Quiet {
			names = append(names, n.Name)
		}
	}
	return names
}
