package server

import (
	"bytes"
	"errors"
	"strconv"

	"ciderd/internal/cluster"
	"ciderd/internal/fsm"
	"ciderd/internal/protocol"
)

// The bounds of a group, which are those of a batch in the log, and how many groups of one session
// may be on their way at a time.
const (
	groupCommands = 1024
	groupBytes    = 256 << 10
	groupsAhead   = 4
	groupWork     = groupBytes
	// handOver is from where on a group's buffer is given away instead of copied.
	handOver = 32 << 10
)

// writes is a session's writes that have not been answered yet: those of the group that is being
// filled, and the groups before it, which are on their way.
//
// Groups are what makes a burst cheap: a write costs an encoding into the buffer, and a group one
// allocation and one wait. They end where order demands it: whatever is not a write settles first.
type writes struct {
	group   *output // encoded commands; nil if there is none
	count   int     // of group
	version int     // of group, see fsm.Group
	work    int     // of group, see fsm.Group
	most    int     // the largest value of the writes that are not answered
	ahead   [groupsAhead]flight
	flying  int // of ahead, the oldest first
}

// flight is a group on its way.
type flight struct {
	proposal Proposal
	count    int
}

func (w *writes) empty() bool { return w.count == 0 && w.flying == 0 }

// write adds a command to the group. It is answered when the group is, in its turn.
func (s *session) write(c *fsm.Command) {
	w := &s.writes
	if w.group == nil {
		w.group = outputs.Get().(*output)
	}
	before := len(w.group.b)
	w.group.b = fsm.AppendCommand(w.group.b, c)
	if len(w.group.b) > groupBytes && w.count > 0 {
		// One too many: it becomes the first of the next group.
		last := bytes.Clone(w.group.b[before:])
		w.group.b = w.group.b[:before]
		s.propose()
		w.group.b = append(w.group.b, last...)
	}
	w.count++
	w.version = max(w.version, c.Op.Since())
	w.work += s.work(c)
	s.counts.writes++
	if w.count == groupCommands || len(w.group.b) >= groupBytes || w.work >= groupWork {
		s.propose()
	}
}

// work is about how many bytes of values a command makes every node copy beside its own.
func (s *session) work(c *fsm.Command) int {
	w := &s.writes
	w.most = max(w.most, len(c.Value))
	switch c.Op {
	case fsm.OpMSet:
		for _, word := range c.Words {
			w.most = max(w.most, len(word))
		}
		return 0
	case fsm.OpAppend, fsm.OpExpire, fsm.OpPersist:
	default:
		return 0
	}
	size := w.most // it may be on its way
	if ks := s.reader.Keyspace(); ks != nil {
		item, _ := ks.Get(c.Key, 0)
		size = max(size, len(item.Value))
	}
	return size
}

// propose sends the group off.
func (s *session) propose() {
	w := &s.writes
	if w.count == 0 {
		return
	}
	if w.flying == groupsAhead {
		s.land()
	}
	commands := w.group.b
	if cap(commands) > handOver {
		w.group.b = nil
	} else {
		commands = bytes.Clone(commands)
		w.group.b = w.group.b[:0]
	}
	g := fsm.Group{Commands: commands, Count: w.count, Version: w.version, User: s.login.account.id, Work: w.work}
	p := s.srv.node.Propose(g, s.srv.config.Load().WriteTimeout)
	w.ahead[w.flying] = flight{proposal: p, count: w.count}
	w.flying++
	w.count, w.version, w.work = 0, 0, 0
}

// release gives the group's buffer back; nothing may be in it.
func (w *writes) release() {
	if w.group != nil {
		w.group.release()
		w.group = nil
	}
}

// settle returns when every write so far is answered.
func (s *session) settle() {
	if s.writes.empty() {
		return
	}
	s.propose()
	for s.writes.flying > 0 {
		s.land()
	}
	s.writes.most = 0
	s.now = 0 // time has passed
}

// land waits for the oldest group on its way and answers its commands.
func (s *session) land() {
	w := &s.writes
	first := w.ahead[0]
	copy(w.ahead[:], w.ahead[1:w.flying])
	w.flying--
	w.ahead[w.flying] = flight{}
	results, err := first.proposal.Wait()
	for i := range first.count {
		switch {
		case err != nil:
			s.failWrite(err)
		case i < len(results):
			s.result(results[i])
		default:
			s.result(fsm.Result{})
		}
	}
}

// failWrite answers a write that has no result.
func (s *session) failWrite(err error) {
	switch {
	case errors.Is(err, cluster.ErrBusy):
		s.fail(protocol.Busy, "too many writes are waiting here; nothing was done, try again later")
	case errors.Is(err, cluster.ErrNoLeader):
		s.fail(protocol.NoLeader, "no leader could be reached in time; nothing was written, it is safe to send it again")
	case errors.Is(err, cluster.ErrShutdown):
		s.fail(protocol.ShuttingDown, "nothing was done: "+shuttingDown)
		s.over = true
	case errors.Is(err, cluster.ErrTimeout):
		s.fail(protocol.Timeout, "no answer in "+inWords(s.srv.config.Load().WriteTimeout)+"; the outcome is not known (with ONCE a write can be sent again safely)")
	default:
		s.srv.log.Error("a write failed", "error", err)
		s.fail(protocol.Internal, "an error that should not be, this node's log has it; the outcome is not known")
	}
}

// result answers one write.
func (s *session) result(r fsm.Result) {
	switch r.Kind {
	case fsm.KindOK:
		s.reply("OK")
	case fsm.KindInt:
		s.replyInt(r.N)
	case fsm.KindExists:
		s.reply("EXISTS")
	case fsm.KindNotFound:
		s.reply("NOT_FOUND")
	case fsm.KindConflict:
		s.add("CONFLICT ")
		s.replyUint(uint64(r.N))
	default:
		s.refusal(r.Kind)
	}
}

// refusal answers a write that the cluster has refused: it changed nothing.
func (s *session) refusal(k fsm.Kind) {
	switch k {
	case fsm.KindNotANumber:
		s.fail(protocol.NotANumber, "the value is not a 64-bit integer")
	case fsm.KindOverflow:
		s.fail(protocol.Overflow, "the result would not fit into 64 bits")
	case fsm.KindValueTooLarge:
		s.fail(protocol.ValueTooLarge, "the value would be over the limit of "+
			strconv.Itoa(s.srv.config.Load().MaxValue)+" bytes")
	case fsm.KindMemoryFull:
		s.fail(protocol.MemoryFull, "the cluster's disks are nearly full: nothing can be stored until there is room; deletions still work")
	case fsm.KindOnceFull:
		s.fail(protocol.Quota, "you have used too many ONCE ids in the last ten minutes; nothing was done, try again later")
	case fsm.KindSignupFull:
		s.fail(protocol.Quota, "no more than "+strconv.FormatInt(s.srv.config.Load().MaxUsers, 10)+" users can sign up here (max_users)")
	case fsm.KindUserExists:
		s.fail(protocol.UserExists, "that user name is taken; choose another one, or LOGIN")
	case fsm.KindAuthFailed:
		s.fail(protocol.AuthFailed, wrongPassword)
	case fsm.KindSessionEnded:
		s.fail(protocol.SessionEnded, sessionEnded)
		s.over = true
	case fsm.KindBusy:
		s.fail(protocol.Busy, "too many large values would be copied at once; nothing was done, try again later")
	case fsm.KindUnread: // this node had heard of no server that does not know it
		s.fail(protocol.UnknownCommand, "the cluster is being upgraded, and not every node knows this command yet; nothing was done")
	default:
		s.fail(protocol.Internal, "the command was not run")
	}
}
