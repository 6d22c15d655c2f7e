package session

import (
	"bytes"
	"math"
	"sync"

	"ciderd/internal/accounts"
	"ciderd/internal/fsm"
	"ciderd/internal/protocol"
)

// The bounds of a group, which are those of a batch in the log, and how many groups of one session
// may be in flight at a time.
const (
	groupCommands = 1024
	groupBytes    = 256 << 10
	groupsAhead   = 4
	groupWork     = groupBytes
	// handOver is from where on a group's buffer is given away instead of copied.
	handOver = 32 << 10
	// bufferKeep is the largest buffer that is kept in the pool.
	bufferKeep = 128 << 10
)

// writes is a session's writes that have not been answered yet: those of the group that is being
// filled, and the groups before it, which are in flight.
//
// Groups are what makes a burst cheap: a write costs an encoding into the buffer, and a group one
// allocation and one wait. They end where order demands it: before whatever is not a write.
type writes struct {
	answers  *answers
	commands *Commands
	user     uint64      // the user; 0: nobody is logged in
	reader   *fsm.Reader // of the user's cache

	command fsm.Command
	group   *buffer // encoded commands; nil if there is none
	count   int     // of group
	version int     // of group, see fsm.Group
	work    int     // of group, see fsm.Group
	most    int     // the largest value of the writes that are not answered
	ahead   [groupsAhead]inFlight
	flying  int    // of ahead, the oldest first
	sayings int    // answers that are due and not a write's
	added   uint64 // writes, since they were published
	details int64  // bytes of values in the results that are being answered
}

// inFlight is a group on its way.
type inFlight struct {
	proposal accounts.Proposal
	count    int
}

// buffer is a pooled buffer of encoded commands, and how the commands are answered that have not been yet, those in
// flight included; idle sessions have none.
type buffer struct {
	b     []byte
	turns []turn
	next  int // of turns; that one is a write's
}

// turn is the place of an answer among those that are due.
type turn struct {
	answer  Answer
	command uint16 // that it answers
	said    bool   // it is not a write's, and needs no result
}

// turnsKeep is for how many answers memory is kept in the pool: more than commands can be in flight.
const turnsKeep = (groupsAhead + 2) * groupCommands

func (b *buffer) push(t turn) {
	if b.next > 0 && len(b.turns) == cap(b.turns) {
		b.turns = b.turns[:copy(b.turns, b.turns[b.next:])]
		b.next = 0
	}
	b.turns = append(b.turns, t)
}

func (b *buffer) pop() turn {
	t := b.turns[b.next]
	if b.next++; b.next == len(b.turns) {
		b.turns, b.next = b.turns[:0], 0
	}
	return t
}

// says reports whether the next answer is not a write's.
func (b *buffer) says() bool { return b.next < len(b.turns) && b.turns[b.next].said }

var buffers = sync.Pool{New: func() any { return &buffer{b: make([]byte, 0, 2048)} }}

func (w *writes) empty() bool { return w.count == 0 && w.flying == 0 }

// add adds a write to the group. It is answered when the group is, in order.
func (w *writes) add(c *command, req *protocol.Request) {
	w.command = fsm.Command{Op: c.op, User: w.user, Once: req.OnceID}
	c.encode(&w.command, req)
	if c.op == fsm.OpAppend {
		w.command.Limit = int64(w.answers.all.config.Load().MaxValue)
	}
	w.enter(nil)
}

// enter adds command to the group.
func (w *writes) enter(answer Answer) {
	if w.group == nil {
		w.group = buffers.Get().(*buffer)
	}
	before := len(w.group.b)
	w.group.b = fsm.AppendCommand(w.group.b, &w.command)
	if len(w.group.b) > groupBytes && w.count > 0 {
		// One too many: it becomes the first of the next group.
		last := bytes.Clone(w.group.b[before:])
		w.group.b = w.group.b[:before]
		w.propose()
		w.group.b = append(w.group.b, last...)
	}
	w.push(turn{answer: answer})
	w.count++
	w.version = max(w.version, w.command.Since())
	w.work += w.copied(&w.command)
	w.command.Words, w.command.Exec = nil, nil // they may be large, and the next command may have to wait long for the client
	w.added++
	if w.count == groupCommands || len(w.group.b) >= groupBytes || w.work >= groupWork {
		w.propose()
	}
}

// push has the command that is being done answered in its turn.
func (w *writes) push(t turn) {
	t.command = w.commands.later()
	w.group.push(t)
}

// copied is about how many bytes of values a command makes every node copy beside its own.
func (w *writes) copied(c *fsm.Command) int {
	w.most = max(w.most, len(c.Value))
	switch c.Op {
	case fsm.OpMSet, fsm.OpMSetNX:
		for _, word := range c.Words {
			w.most = max(w.most, len(word))
		}
		return 0
	case fsm.OpAppend, fsm.OpExpire, fsm.OpPersist:
	case fsm.OpDeadline, fsm.OpGetExpire, fsm.OpSetRange, fsm.OpMove, fsm.OpIncrFloat, fsm.OpExec:
		before := w.most
		if c.Exec != nil {
			w.most = max(w.most, min(c.Exec.Size(), w.answers.all.config.Load().MaxValue))
		}
		return max(before, c.Work(w.value))
	default:
		return 0
	}
	size := w.most // it may be in flight
	if ks := w.reader.Keyspace(); ks != nil {
		memory, _ := ks.Peek(c.Key)
		size = max(size, int(memory))
	}
	return size
}

// value returns what a key has, expired or not.
func (w *writes) value(key []byte) []byte {
	ks := w.reader.Keyspace()
	if ks == nil {
		return nil
	}
	item, _ := ks.Get(key, math.MinInt64)
	return item.Value
}

// propose sends the group off.
func (w *writes) propose() {
	if w.count == 0 {
		return
	}
	if w.flying == groupsAhead {
		w.finishOldest()
	}
	commands := w.group.b
	if cap(commands) > handOver {
		w.group.b = nil
	} else {
		commands = bytes.Clone(commands)
		w.group.b = w.group.b[:0]
	}
	g := fsm.Group{Commands: commands, Count: w.count, Version: w.version, User: w.user, Work: w.work}
	p := w.answers.all.node.Propose(g, w.answers.all.config.Load().WriteTimeout)
	w.ahead[w.flying] = inFlight{proposal: p, count: w.count}
	w.flying++
	w.count, w.version, w.work = 0, 0, 0
}

// flush returns when every write so far is answered.
func (w *writes) flush() {
	w.propose()
	for w.flying > 0 {
		w.finishOldest()
	}
	w.most = 0
}

// finishOldest waits for the oldest group in flight and answers its commands.
func (w *writes) finishOldest() {
	first := w.ahead[0]
	copy(w.ahead[:], w.ahead[1:w.flying])
	w.flying--
	w.ahead[w.flying] = inFlight{}
	results, err := first.proposal.Wait()
	w.details = 0
	for i := range results {
		w.details += detailBytes(&results[i])
	}
	for i := range first.count {
		r := fsm.Result{}
		if err == nil && i < len(results) {
			r, results[i] = results[i], fsm.Result{} // so that its details are not kept for longer than they are needed
		}
		t := w.group.pop()
		switch {
		case t.answer != nil && t.answer(w.answers.Reply, r):
		case err != nil:
			w.answers.unwritten(err)
		default:
			w.answers.result(r)
		}
		w.commands.answered(t.command)
		w.details -= detailBytes(&r)
		w.say()
	}
	w.details = 0
}

// said adds an answer that is due after the writes so far, of which there are some.
func (w *writes) said(answer Answer) {
	w.push(turn{answer: answer, said: true})
	if w.sayings++; w.sayings >= turnsKeep {
		w.flush()
	}
}

// say answers what is due before the next write.
func (w *writes) say() {
	for w.group.says() {
		w.sayings--
		t := w.group.pop()
		if !w.answers.over {
			t.answer(w.answers.Reply, fsm.Result{})
		}
		w.commands.answered(t.command)
	}
}

// detailBytes returns how many bytes of values a result keeps in memory.
func detailBytes(r *fsm.Result) (bytes int64) {
	if r.Details == nil {
		return 0
	}
	bytes = int64(len(r.Details.Item.Value))
	for i := range r.Details.Results {
		bytes += detailBytes(&r.Details.Results[i])
	}
	return bytes
}

// release gives the group's buffer back; nothing may be in it.
func (w *writes) release() {
	w.command = fsm.Command{}
	if w.group == nil {
		return
	}
	if cap(w.group.b) <= bufferKeep && cap(w.group.turns) <= turnsKeep {
		w.group.b = w.group.b[:0]
		buffers.Put(w.group)
	}
	w.group = nil
}
