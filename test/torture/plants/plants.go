// Package plants owns the bugs that are planted on purpose, and what must catch each of them: a judge that
// finds nothing is worth something only if it finds these.
//
// It promises that a plant which no longer fits the sources, does not compile or is not caught fails, by its
// name. It knows the sources by their text alone and imports nothing of the program.
package plants

import "ciderd/test/overlay"

// Plant is a bug, and what catches it.
type Plant struct {
	overlay.Change
	// CaughtBy is at least one; each must catch it by itself.
	CaughtBy []Check
}

// Check is rounds of torture or, where Package is set, that package's tests.
type Check struct {
	Faults string // the faults of the rounds, comma-separated
	Rounds int    // at most; the first with a violation ends it, and that is mostly the first of all

	Package string // from the module's root, as go test takes it
	Test    string // as -run takes it; empty: all tests of Package
}

var plantNoJournalSync = overlay.Edit{
	File: "internal/storage/journal/sync_linux.go",
	Find: "func syncContents(f *os.File) error {\n",
	Put:  "func syncContents(f *os.File) error {\nif f != nil {\nreturn nil\n}\n",
}

// All are the planted bugs, in the order in which they are tried. README.md lists them too.
var All = []Plant{
	{
		Change: overlay.Change{
			Name: "ack-early",
			Does: "OK before the entry is committed",
			Edits: []overlay.Edit{
				{ // a plain SET is answered as it is put into a batch, before that is sent
					File: "internal/pipeline/sender.go",
					Find: "version = max(version, p.version)\n",
					Put: "version = max(version, p.version)\n" +
						"if p.size.commands == 1 && p.commands[0] == byte(fsm.OpSet) && p.commands[1] == 0 {\n" +
						"\tp.finish([]fsm.Result{{Kind: fsm.KindOK}}, nil)\n}\n",
				},
				{ // and so has its end when the log comes with another
					File: "internal/pipeline/proposal.go",
					Find: "p.results, p.err = results, err\n",
					Put:  "select {\ncase <-p.done:\n\treturn\ndefault:\n}\np.results, p.err = results, err\n",
				},
			},
		},
		CaughtBy: []Check{{Faults: "kill-leader", Rounds: 9}},
	},
	{
		Change: overlay.Change{
			Name: "nosync",
			Does: "no fsync",
			Edits: []overlay.Edit{{
				File: "internal/storage/storage.go",
				Find: "MsgpackUseNewTimeFormat: true,\n",
				Put:  "MsgpackUseNewTimeFormat: true,\nNoSync: true,\n",
			}, plantNoJournalSync},
		},
		CaughtBy: []Check{{Faults: "power-loss", Rounds: 9}, {Faults: "power-torn", Rounds: 9}},
	},
	{
		Change: overlay.Change{
			Name:  "nosync-journal",
			Does:  "no fsync of the journal; the database's are there",
			Edits: []overlay.Edit{plantNoJournalSync},
		},
		CaughtBy: []Check{{Faults: "power-loss", Rounds: 9}},
	},
	{
		Change: overlay.Change{
			Name: "journal-kept",
			Does: "the journal keeps entries of the log's end that are deleted",
			Edits: []overlay.Edit{{
				File: "internal/storage/journal/journal.go",
				Find: "\tif err := j.renewAll(reached); err != nil {\n\t\treturn err\n\t}\n\tif err := j.store.DeleteRange",
				Put:  "\t_ = reached\n\tif err := j.store.DeleteRange",
			}},
		},
		CaughtBy: []Check{{Package: "./internal/storage/journal", Test: "TestDeletedEnd"}},
	},
	{
		Change: overlay.Change{
			Name: "not-ready",
			Does: "served before caught up",
			Edits: []overlay.Edit{{
				File: "internal/cluster/node.go",
				Find: "for ctx.Err() == nil {\n\t\tif err := n.trySync(ctx)",
				Put:  "n.serving.caughtUp.Store(true)\nfor ctx.Err() == nil {\n\t\tif err := n.trySync(ctx)",
			}},
		},
		CaughtBy: []Check{{Faults: "kill-follower,kill-leader,kill-all", Rounds: 18}},
	},
	{
		Change: overlay.Change{
			Name: "no-origin",
			Does: "batches that are sent again are applied again",
			Edits: []overlay.Edit{{
				File: "internal/fsm/state.go",
				Find: "h.Incarnation > row.incarnation && h.Sequence == 1\n",
				Put:  "h.Incarnation > row.incarnation && h.Sequence == 1\nnext = true\n",
			}},
		},
		CaughtBy: []Check{
			{Faults: "kill-leader,partition-leader,pause-leader", Rounds: 18},
			{Package: "./internal/fsm"},
		},
	},
	{
		Change: overlay.Change{
			Name: "wall-clock",
			Does: "the machine's clock in Apply",
			Edits: []overlay.Edit{{
				File: "internal/fsm/fsm.go",
				Find: "s.time = max(s.time, h.Stamp)",
				Put:  "s.time = max(s.time, plantedClock.Wall())",
			}},
			Adds: []overlay.File{{ // it comes from where torture can move it
				Path: "internal/fsm/planted.go",
				Text: "package fsm\n\nimport \"ciderd/internal/clock\"\n\nvar plantedClock = clock.New(nil)\n",
			}},
		},
		CaughtBy: []Check{
			{Faults: "kill-leader", Rounds: 9},
			{Faults: "clock-jump", Rounds: 9},
			{Package: "./internal/fsm"},
		},
	},
	{
		Change: overlay.Change{
			Name: "wall-stamp",
			Does: "a leader that runs takes its wall clock into account",
			Edits: []overlay.Edit{{
				File: "internal/clock/clock.go",
				Find: "return c.offset.Load() + c.source.Monotonic().Milliseconds()",
				Put:  "return max(c.offset.Load()+c.source.Monotonic().Milliseconds(), c.source.Wall())",
			}},
		},
		CaughtBy: []Check{{Faults: "clock-jump", Rounds: 9}, {Package: "./internal/clock"}},
	},
	{
		Change: overlay.Change{
			Name: "naive-sync",
			Does: "SYNC takes the leader's word that it leads",
			Edits: []overlay.Edit{{
				File: "internal/cluster/readindex.go",
				Find: "func (r *readIndex) confirmTerm(ctx context.Context, term uint64) error {\n",
				Put:  "func (r *readIndex) confirmTerm(ctx context.Context, term uint64) error {\nreturn nil\n",
			}},
		},
		CaughtBy: []Check{{Faults: "pause-storm", Rounds: 15}},
	},
	{
		Change: overlay.Change{
			Name: "restore-in-place",
			Does: "readers see a snapshot while it is put in place",
			Edits: []overlay.Edit{
				{
					File: "internal/fsm/restore.go",
					Find: "func readSnapshot(r io.Reader, begin func(index uint64) error) (",
					Put:  "func readSnapshot(r io.Reader, begin func(index uint64) error, show ...func(*state)) (",
				},
				{
					File: "internal/fsm/restore.go",
					Find: "b := &builder{state: newState(), begin: begin}\n",
					Put:  "b := &builder{state: newState(), begin: begin}\nfor _, show := range show {\n\tshow(b.state)\n}\n",
				},
				{
					File: "internal/fsm/restore.go",
					Find: "s, err := readSnapshot(r, func(index uint64) error { return makeWay(f, index) })",
					Put:  "s, err := readSnapshot(r, func(index uint64) error { return makeWay(f, index) }, f.state.Store)",
				},
			},
		},
		CaughtBy: []Check{{Faults: "snapshot-live", Rounds: 9}},
	},
	{
		Change: overlay.Change{
			Name: "verify-leader",
			Does: "SYNC takes Raft's `VerifyLeader` for proof that it leads",
			Edits: []overlay.Edit{{ // which counts replies to what was sent before it was called
				File: "internal/cluster/readindex.go",
				Find: "if err := r.confirmTerm(ctx, term); err != nil {",
				Put:  "if err := r.raft.wait(r.raft.VerifyLeader()); err != nil {",
			}},
		},
		CaughtBy: []Check{{Package: "./internal/cluster", Test: "TestSyncOfALeaderWhoseRepliesAreLate"}},
	},
	{
		Change: overlay.Change{
			Name: "evict-anyone",
			Does: "all users lose items in turn, whatever they have",
			Edits: []overlay.Edit{
				{
					File: "internal/eviction/choice.go",
					Find: "excess := u.Memory + min(f.users[id], 0) - u.Guarantee; excess > 0",
					Put:  "excess := int64(1) << 40; u.Memory > u.Fixed",
				},
				{
					File: "internal/fsm/evict.go",
					Find: "|| !a.mayEvict(a.account, a.room)",
					Put:  "",
				},
			},
		},
		CaughtBy: []Check{{Faults: "kill-leader", Rounds: 9}, {Package: "./internal/fsm"}},
	},
	{
		Change: overlay.Change{
			Name: "evict-unchecked",
			Does: "Apply takes the leader's word that a victim's user has more than its guarantee",
			Edits: []overlay.Edit{{
				File: "internal/fsm/evict.go",
				Find: "&& memory > s.guarantee(u)",
				Put:  "",
			}},
		},
		CaughtBy: []Check{{Package: "./internal/fsm"}},
	},
	{
		Change: overlay.Change{
			Name: "evict-stale",
			Does: "an item is evicted that was changed after it was chosen",
			Edits: []overlay.Edit{{
				File: "internal/cache/write.go",
				Find: "if r := k.dir.Load().find(h, key); r == nil || r.version() != version {",
				Put:  "if r := k.dir.Load().find(h, key); r == nil {",
			}},
		},
		CaughtBy: []Check{{Package: "./internal/cache"}, {Package: "./internal/fsm"}},
	},
	{
		Change: overlay.Change{
			Name: "evict-uncounted",
			Does: "what a user loses is not counted",
			Edits: []overlay.Edit{{
				File: "internal/fsm/evict.go",
				Find: "a.users.setShare(a.account, func(s *share) { s.evicted.Add(1) })",
				Put:  "a.users.setShare(a.account, func(s *share) {})",
			}},
		},
		CaughtBy: []Check{{Faults: "kill-leader", Rounds: 9}, {Package: "./internal/fsm"}},
	},
	{
		Change: overlay.Change{
			Name: "watch-unchecked",
			Does: "EXEC does not compare the versions of what is watched",
			Edits: []overlay.Edit{{
				File: "internal/fsm/exec.go",
				Find: "all = item.Version == version\n",
				Put:  "all = item.Version == version || true\n",
			}},
		},
		CaughtBy: []Check{{Faults: "kill-leader", Rounds: 9}},
	},
	{
		Change: overlay.Change{
			Name: "watch-forgotten",
			Does: "EXEC is proposed without what is watched",
			Edits: []overlay.Edit{{
				File: "internal/redis/exec.go",
				Find: "t.Watch([]byte(key), version)\n",
				Put:  "_, _ = key, version\n",
			}},
		},
		CaughtBy: []Check{{Faults: "kill-leader", Rounds: 9}},
	},
	{
		Change: overlay.Change{
			Name: "script-blind",
			Does: "what a script reads is no condition of its entry",
			Edits: []overlay.Edit{{
				File: "internal/optimistic/commit.go",
				Find: "c.Exec.Watch([]byte(key), a.read[key])\n",
				Put:  "_ = key\n",
			}},
		},
		CaughtBy: []Check{{Faults: "kill-leader", Rounds: 9}},
	},
	{
		Change: overlay.Change{
			Name: "exec-present",
			Does: "reads in an EXEC are answered from what is there when it is answered",
			Edits: []overlay.Edit{{
				File: "internal/redis/exec.go",
				Find: "it, there := s.item(&results[st.at])\n",
				Put:  "it, there := s.direct.Keyspace().Get(st.args[1], s.direct.Now())\n",
			}},
		},
		CaughtBy: []Check{{Faults: "kill-leader", Rounds: 9}},
	},
	{
		Change: overlay.Change{
			Name: "once-forgotten",
			Does: "CIDERD.ONCE does what it wraps each time",
			Edits: []overlay.Edit{{
				File: "internal/redis/own.go",
				Find: "w.Once = args[1]\n",
				Put:  "",
			}},
		},
		CaughtBy: []Check{{Faults: "kill-leader", Rounds: 9}},
	},
}
