package cluster

import (
	"errors"
	"fmt"

	"github.com/hashicorp/raft"

	"ciderd/internal/fsm"
	"ciderd/internal/peer"
)

// This node's Raft believes what another node's Raft says: once it has heard of a term that term spreads to all for
// good, and the next leader sends on what is stored. So impossible messages, from a faulty node, a flipped bit or a
// foreign process, are refused here, before they have any effect.

// errImpossible: a message says what no node's Raft can say.
var errImpossible = errors.New("that cannot be")

func impossible(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errImpossible, fmt.Sprintf(format, args...))
}

const (
	// maxTermAhead is how far a term may be above this node's own: that many elections take decades.
	maxTermAhead = 1 << 32
	// maxIndexAhead is the same for an index of the log.
	maxIndexAhead = 1 << 48
	// maxConfiguration bounds a configuration, in bytes.
	maxConfiguration = 64 << 10
	// maxSnapshot bounds a snapshot, in bytes.
	maxSnapshot = 1 << 44
)

// progress is how far this node has come.
type progress struct{ term, last uint64 }

func (p progress) checkTerm(what string, term uint64) error {
	if term > p.term && term-p.term > maxTermAhead {
		return impossible("%s %d, where this node is in term %d", what, term, p.term)
	}
	return nil
}

func (p progress) checkIndex(what string, index uint64) error {
	if index > p.last && index-p.last > maxIndexAhead {
		return impossible("%s %d, where this node's log ends at %d", what, index, p.last)
	}
	return nil
}

// check checks that a message's values are possible; from is the server that its connection has proved to be of.
func (p progress) check(command any, from string) error {
	h := command.(raft.WithRPCHeader).GetRPCHeader()
	if string(h.ID) != from || string(h.Addr) != from {
		return impossible("a message of %q at %q on a connection of %q", clip(h.ID), clip(h.Addr), from)
	}
	switch m := command.(type) {
	case *raft.AppendEntriesRequest:
		return p.checkAppend(m)
	case *raft.RequestVoteRequest:
		return p.checkCandidate(m.Term, m.LastLogIndex, m.LastLogTerm)
	case *raft.RequestPreVoteRequest:
		return p.checkCandidate(m.Term, m.LastLogIndex, m.LastLogTerm)
	case *raft.InstallSnapshotRequest:
		return p.checkInstall(m)
	}
	return nil
}

func clip(b []byte) []byte { return b[:min(len(b), fsm.MaxOrigin)] }

func (p progress) checkCandidate(term, lastIndex, lastTerm uint64) error {
	if lastTerm > term {
		return impossible("a log that ends in term %d, in term %d", lastTerm, term)
	}
	return errors.Join(p.checkTerm("term", term), p.checkIndex("a last index of", lastIndex))
}

func (p progress) checkAppend(m *raft.AppendEntriesRequest) error {
	if err := p.checkTerm("term", m.Term); err != nil {
		return err
	}
	err := errors.Join(p.checkIndex("a previous index of", m.PrevLogEntry), p.checkIndex("a commit index of", m.LeaderCommitIndex))
	switch {
	case err != nil:
		return err
	case m.PrevLogTerm > m.Term:
		return impossible("a previous entry of term %d, in term %d", m.PrevLogTerm, m.Term)
	case m.LeaderCommitIndex > 0 && m.PrevLogEntry == 0 && len(m.Entries) == 0:
		// Raft would count everything that it has as committed.
		return impossible("a commit index of %d, and nothing that it is behind", m.LeaderCommitIndex)
	case len(m.Entries) > maxListed:
		return impossible("%d entries", len(m.Entries))
	}
	index, term := m.PrevLogEntry, m.PrevLogTerm
	for _, e := range m.Entries {
		index++
		if err := checkEntry(e, index, term, m.Term); err != nil {
			return err
		}
		term = e.Term
	}
	return nil
}

// checkEntry checks that this node can store an entry, which is to be the one at index, and later apply it.
func checkEntry(e *raft.Log, index, after, until uint64) error {
	switch {
	case e == nil:
		return impossible("entry %d is absent", index)
	case e.Index != index:
		return impossible("entry %d stands where %d belongs", e.Index, index)
	case e.Term == 0 || e.Term < after || e.Term > until:
		return impossible("entry %d is of term %d, behind one of %d and from a leader of %d", index, e.Term, after, until)
	case len(e.Data) > peer.MaxFrame:
		return impossible("entry %d has %d bytes", index, len(e.Data))
	}
	var err error
	switch e.Type {
	case raft.LogCommand:
		err = fsm.Check(e.Data)
	case raft.LogConfiguration:
		err = checkConfiguration(e.Data)
	case raft.LogNoop, raft.LogBarrier:
	default:
		err = fmt.Errorf("type %d", e.Type)
	}
	if err != nil {
		return fmt.Errorf("%w: entry %d: %w", errImpossible, index, err)
	}
	return nil
}

// checkConfiguration checks that Raft can read and use a configuration.
func checkConfiguration(encoded []byte) error {
	if len(encoded) > maxConfiguration {
		return fmt.Errorf("a configuration of %d bytes", len(encoded))
	}
	c, err := decodeConfiguration(encoded)
	if err != nil {
		return err
	}
	voters, seen := 0, map[raft.ServerID]bool{}
	for _, s := range c.Servers {
		if s.ID == "" || len(s.ID) > fsm.MaxOrigin || s.Address == "" || seen[s.ID] || s.Suffrage < raft.Voter || s.Suffrage > raft.Staging {
			return fmt.Errorf("a configuration with a server %q", clip([]byte(s.ID)))
		}
		seen[s.ID] = true
		if s.Suffrage == raft.Voter {
			voters++
		}
	}
	if voters == 0 {
		return errors.New("a configuration without a voter")
	}
	return nil
}

// decodeConfiguration is raft.DecodeConfiguration, which panics on what it cannot read.
func decodeConfiguration(encoded []byte) (c raft.Configuration, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("a configuration that cannot be read: %v", r)
		}
	}()
	return raft.DecodeConfiguration(encoded), nil
}

func (p progress) checkInstall(m *raft.InstallSnapshotRequest) error {
	err := errors.Join(p.checkTerm("term", m.Term), p.checkIndex("a snapshot's index of", m.LastLogIndex))
	switch {
	case err != nil:
		return err
	case m.SnapshotVersion != raft.SnapshotVersionMax:
		return impossible("a snapshot of version %d", m.SnapshotVersion)
	case m.LastLogIndex == 0 || m.LastLogTerm == 0 || m.LastLogTerm > m.Term || m.ConfigurationIndex > m.LastLogIndex:
		return impossible("a snapshot that ends at %d of term %d, with the configuration of %d, in term %d",
			m.LastLogIndex, m.LastLogTerm, m.ConfigurationIndex, m.Term)
	case m.Size < 0 || m.Size > maxSnapshot:
		return impossible("a snapshot of %d bytes", m.Size)
	}
	if err := checkConfiguration(m.Configuration); err != nil {
		return fmt.Errorf("%w: a snapshot with %w", errImpossible, err)
	}
	return nil
}

// checkAnswer checks that the term in an answer is possible, given the term of the message: Raft adopts an answer's
// term.
func checkAnswer(said, answered uint64) error {
	return progress{term: said}.checkTerm("an answer of term", answered)
}
