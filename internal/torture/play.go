package torture

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
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
	bad       complaints
	ops       int64
	undecided int
	gap       []time.Duration // the longest without an OK on a quiet node, if one was
}

func (p *play) user() string { return fmt.Sprintf("round-%d", p.number) }

// play returns an error that is not the daemon's; violations are in bad.
func (p *play) play() error {
	err := p.makeUser()
	if err == nil {
		err = p.underLoad()
	}
	rest := p.bad.sort(err)
	p.judgeProcesses()
	return rest
}

// makeUser makes the account and sees it on every node, before anything is broken.
func (p *play) makeUser() error {
	for i, n := range p.cluster.nodes {
		err := until(p.ctx, healLimit, p.user()+" on "+n.name, func() error {
			if i == 0 {
				return n.signUp(p.user())
			}
			c, err := n.dial(p.user())
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
	l, err := newLoad(p.user(), p.cluster.nodes, p.history, p.deal.seed)
	if err != nil {
		return err
	}
	err = l.progress(p.ctx, 10, healLimit)
	if err == nil {
		err = p.breakIt(l)
	}
	p.judgeEnds()
	// What must follow the fault follows it also where the fault itself went wrong: there is more
	// to learn.
	heal := p.cluster.heal()
	if heal == nil {
		heal = p.cluster.waitServing(p.cluster.nodes...)
	}
	if heal == nil && len(p.deal.faults) > 1 { // one of them may have taken a node out
		heal = p.cluster.allVote()
	}
	if heal == nil {
		heal = l.progress(p.ctx, 10, healLimit)
	}
	err = errors.Join(err, heal, l.halt())
	p.ops = l.ops.Load()
	if d, ok := l.gaps.longest(p.cluster.nodes); ok {
		p.gap = append(p.gap, d)
	}
	if seen := l.seen(); seen != "" {
		p.notes = append(p.notes, "errors of clients:"+seen)
	}
	complaints, _ := l.bad.all()
	for _, e := range complaints {
		p.bad.add(e)
	}
	p.judgeEnds()
	if p.ctx.Err() == nil && heal == nil {
		p.judge(l)
	}
	return err
}

// breakIt does what the deal says.
func (p *play) breakIt(l *load) error {
	r := &round{
		ctx: p.ctx, cluster: p.cluster, load: l, random: p.deal.random(), combined: len(p.deal.faults) > 1, brief: p.deal.brief, past: p.past,
		say: func(format string, args ...any) { p.notes = append(p.notes, fmt.Sprintf(format, args...)) },
	}
	if r.combined {
		strained(departed, r.cluster.nodes...)
		for _, n := range r.cluster.nodes {
			n.mayEnd = true
		}
	}
	for _, f := range p.deal.faults {
		if f.act != nil {
			if err := f.act(r); err != nil {
				return err
			}
			continue
		}
		if err := f.hold(r); err != nil {
			return err
		}
		longest := f.longest
		if p.deal.brief {
			longest = min(longest, briefest)
		}
		d := r.between(f.shortest, longest)
		if r.combined {
			d /= 4
		}
		if err := r.pass(d); err != nil {
			return err
		}
	}
	return nil
}

// judgeEnds complains about processes that have ended though nothing was to end them.
func (p *play) judgeEnds() {
	for i, n := range p.cluster.nodes {
		if !n.running() && !n.mayEnd && p.ctx.Err() == nil {
			p.bad.add(violationf("%s ended by itself; its last line: %.300s", n.name, n.lastLine(p.logs[i])))
			n.mayEnd = true // once is enough
		}
	}
}

// judgeProcesses looks for what must not be in a log.
func (p *play) judgeProcesses() {
	for i, n := range p.cluster.nodes {
		p.bad.add(n.judgeLog(p.logs[i]))
	}
}

// judgeLog complains of what must not be in the log, behind offset.
func (n *node) judgeLog(offset int64) error {
	text := n.logSince(offset)
	var errs []error
	for _, sign := range []string{"panic:", "fatal error:", "DATA RACE", password} {
		if at := strings.Index(text, sign); at >= 0 {
			errs = append(errs, violationf("%s has logged %q: %.200s", n.name, sign, text[at:]))
		}
	}
	return errors.Join(errs...)
}

// judge reads what is there in the end and compares it with what clients were told.
func (p *play) judge(l *load) {
	s, err := p.cluster.readAll(p.user())
	p.bad.add(err)
	if s == nil {
		return
	}
	for _, err := range missing(l.clients, s) {
		p.bad.add(err)
	}
	p.judgeDeadlines(l)
	var registers []registerOp
	var swaps []casOp
	for _, c := range l.clients {
		switch w := c.worker.(type) {
		case *registerClient:
			registers = append(registers, w.ops...)
		case *casClient:
			swaps = append(swaps, w.ops...)
		}
	}
	registers, swaps = lastReads(registers, swaps, s, l.now())
	errs, undecided := checkRegisters(registers)
	more, also := checkCAS(swaps)
	p.undecided = undecided + also
	for _, err := range append(errs, more...) {
		p.bad.add(err)
	}
	p.bad.add(p.remember(pastUser{p.user(), s.digest()}))
}

// judgeDeadlines reads what has a deadline once more, on every node, and judges all such readings.
func (p *play) judgeDeadlines(l *load) {
	if err := l.deadlines.atEnd(l); err != nil {
		p.bad.add(err)
		return
	}
	untouched := true
	for i, n := range p.cluster.nodes {
		untouched = untouched && strain(n.level.Load()) == quiet && n.starts.Load() == p.starts[i]
	}
	for _, err := range l.deadlines.judge(l.gaps, untouched) {
		p.bad.add(err)
	}
}

// lastReads adds what is there in the end to the histories, as a read of one more client.
func lastReads(registers []registerOp, swaps []casOp, s contents, now int64) ([]registerOp, []casOp) {
	const reader = math.MaxInt16
	for i := range registerKeys {
		o := registerOp{client: reader, key: fmt.Sprintf("reg:%d", i), value: absent, start: now, end: now + 1}
		if value, ok := s.value(o.key); ok {
			o.value = value
		}
		registers = append(registers, o)
	}
	for i := range casKeys {
		o := casOp{client: reader, key: fmt.Sprintf("cas:%d", i), start: now, end: now + 1}
		if reply, ok := s[o.key]; ok {
			o.new, _ = s.value(o.key)
			o.version = strings.Fields(reply)[1]
		}
		swaps = append(swaps, o)
	}
	return registers, swaps
}
