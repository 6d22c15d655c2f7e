package fsm

import (
	"bytes"
	"math"
	"strconv"

	"ciderd/internal/cache"
)

// How many due items one entry removes. It is bounded, so that a million deadlines in one second do not make one
// entry take a second. It is the same on all nodes, as the state depends on it.
const (
	expirePerBatch = 256
	expirePerSweep = 4096

	// SweepAtMost is the most that an OpSweep removes. Its result is how many it removed.
	SweepAtMost = expirePerSweep
)

// applier runs the commands of one batch against a state. It looks only at the state and the command.
type applier struct {
	*state
	cmds    [cache.WarmAtOnce]Command
	version byte     // of the entry
	account *account // of the last user looked up: most batches are of few users
	changed []uint64 // users whose password or account changed
	scratch []byte

	epoch    uint64 // of the heat, in the last eviction
	room     int64  // of the eviction that is applied
	victims  together
	inserted int // items that the batch's commands stored, or were refused
	expired  int // items that were removed, since they were counted

	mine    bool                      // the batch is of this node: its results are wanted, with their details
	granted bool                      // a transaction is under way: there is room for all of it, and the keyspace is in a cut
	inside  [cache.WarmAtOnce]Command // of the transaction
}

// batch applies the commands of an accepted batch; results has one element for each of them. A command that cannot
// be decoded ends the batch: its result and those of the commands after it are KindNone. Every node does the same,
// as all of them run this code on the same bytes.
func (a *applier) batch(version byte, commands []byte, count int, results []Result) {
	a.account, a.version, a.inserted = nil, version, 0
	expire(a, expirePerBatch)
	defer a.keepUp()
	for len(results) > 0 {
		some, rest, err := a.decode(commands, min(count, len(a.cmds)))
		a.warm(some)
		for i := range some {
			results[i] = a.command(&some[i])
		}
		if err != nil {
			return
		}
		commands, results, count = rest, results[len(some):], count-len(some)
	}
}

// expire removes up to so many items that are due, and returns how many there were.
func expire(a *applier, most int) int {
	n := a.store.Expire(a.time, most)
	a.expired += n
	return n
}

// keepUp removes more of what is due after a batch that stored many items: at any rate of short deadlines they do not
// pile up. Releases that know no limits remove less, so it begins once the log has held something that they do not
// read.
func (a *applier) keepUp() {
	if more := 2*a.inserted - expirePerBatch; more > 0 && a.entries >= version4 {
		expire(a, more)
	}
}

// decode reads up to n commands. If it fails, it also returns those that came before the error.
func (a *applier) decode(commands []byte, n int) (some []Command, rest []byte, err error) {
	for i := range n {
		if rest, err = a.cmds[i].decode(commands, a.version); err != nil {
			return a.cmds[:i], nil, err
		}
		commands = rest
	}
	return a.cmds[:n], commands, nil
}

// warm has the cache touch the keys of some commands, see cache.Keyspace.Warm. It takes only the keys of the first
// command's user: most batches have only one.
func (a *applier) warm(some []Command) {
	if len(some) < 2 {
		return
	}
	var keys [cache.WarmAtOnce][]byte
	n := 0
	for i := range some {
		if c := &some[i]; c.Key != nil && c.User == some[0].User {
			keys[n] = c.Key
			n++
		}
	}
	if account := a.users.byID[some[0].User]; n > 1 && account != nil {
		account.keyspace.Warm(keys[:n])
	}
}

func (a *applier) command(c *Command) Result {
	switch c.Op {
	case OpSweep:
		return Result{Kind: KindInt, N: int64(expire(a, expirePerSweep))}
	case OpGone:
		a.dropOrigins(c.Words)
		return Result{Kind: KindOK}
	case OpClose:
		a.closed = c.N != 0
		return Result{Kind: KindOK}
	case OpLimits:
		return a.setLimits(c)
	case OpSeed:
		return a.setSeed(c)
	case OpSignup:
		return a.signup(c, 0)
	case OpRegister:
		return a.signup(c, uint64(a.time)*1000)
	case OpRestore:
		return restores{a}.begin(c)
	case OpBackedUp:
		return a.backedUp(c)
	case OpRefuse:
		if c.User == 0 && c.Flags&flagUnread != 0 { // it replaces a command that needs no user
			return a.write(c)
		}
	}
	if a.account == nil || a.account.user.ID != c.User {
		a.account = a.users.byID[c.User]
	}
	if a.account == nil {
		return Result{Kind: KindSessionEnded}
	}
	switch {
	case isRestore(c.Op):
		return restores{a}.run(c)
	case len(c.Once) > 0:
		return a.once(c)
	}
	return a.write(c)
}

func (a *applier) once(c *Command) Result {
	table := &a.account.once
	if first, ok := table.lookup(c.Once); ok {
		return first
	}
	defer func(sum uint64, bytes, memory int64) {
		a.sum += table.sum - sum
		a.onceBytes.Add(table.bytes - bytes)
		if a.account != nil {
			a.addFixed(a.account, table.memory-memory)
		}
	}(table.sum, table.bytes, table.memory)
	if table.full(a.time) {
		return Result{Kind: KindOnceFull}
	}
	if !a.refuses(c) { // else nothing will be remembered
		if kind, ok := a.roomForID(c.Once); !ok {
			return Result{Kind: kind}
		}
	}
	result := a.write(c)
	// Not if the command removed the account, and not if the same command may well succeed when it is sent again.
	if a.account != nil && !operations[c.Op].forgets && !result.Kind.passes() && !result.Kind.detailed() {
		table.remember(remembered{id: string(c.Once), at: a.time, result: result})
	}
	return result
}

// refuses reports whether a command is not run whatever it is applied to.
func (a *applier) refuses(c *Command) bool { return c.Op == OpRefuse || a.closed && c.grows() }

// write runs a command of the account that was looked up.
func (a *applier) write(c *Command) Result {
	switch {
	case c.Op == OpRefuse && c.Flags&flagUnread != 0:
		return Result{Kind: KindUnread}
	case c.Op == OpRefuse && c.Flags&flagBusy != 0:
		return Result{Kind: KindBusy}
	case a.refuses(c):
		return Result{Kind: KindMemoryFull}
	}
	switch ks := a.account.keyspace; c.Op {
	case OpSet:
		return a.set(ks, c)
	case OpDelete:
		return a.delete(ks, c)
	case OpIncr:
		return a.incr(ks, c)
	case OpAppend:
		return a.append(ks, c)
	case OpExpire:
		return a.deadline(ks, c.Key, a.deadlineIn(c.TTL))
	case OpPersist:
		return a.deadline(ks, c.Key, 0)
	case OpCAS:
		return a.cas(ks, c)
	case OpMSet:
		return a.mset(ks, c)
	case OpFlush:
		ks.Flush()
		return Result{Kind: KindOK}
	case OpPasswd:
		return a.passwd(c)
	case OpUnregister:
		return a.unregister(c)
	case OpLock:
		r := a.lock(a.account, c.N != 0)
		if r.Kind == KindOK {
			a.changed = append(a.changed, c.User)
		}
		return r
	case OpQuota:
		return a.setQuota(a.account, c)
	case OpReserve:
		return a.setReserve(a.account, c)
	default:
		return items{a, ks}.run(c)
	}
}

// deadlineIn returns the time in ttl milliseconds; 0 (no deadline) stays 0.
func (a *applier) deadlineIn(ttl int64) int64 {
	if ttl <= 0 {
		return 0
	}
	if ttl > math.MaxInt64-a.time {
		return math.MaxInt64
	}
	return a.time + ttl
}

func (a *applier) set(ks *cache.Keyspace, c *Command) Result {
	if c.Flags&(FlagNX|FlagXX) != 0 {
		_, there := ks.Lookup(c.Key, a.time)
		switch {
		case there && c.Flags&FlagNX != 0:
			return Result{Kind: KindExists}
		case !there && c.Flags&FlagXX != 0:
			return Result{Kind: KindNotFound}
		}
	}
	return a.put(ks, c.Key, c.Value, a.deadlineIn(c.TTL), Result{Kind: KindOK})
}

// put stores an item, if there is room for it, and returns done.
func (a *applier) put(ks *cache.Keyspace, key, value []byte, deadline int64, done Result) Result {
	if kind, ok := a.roomFor(ks, key, len(value), deadline); !ok {
		return Result{Kind: kind}
	}
	ks.Set(key, value, deadline)
	return done
}

func (a *applier) cas(ks *cache.Keyspace, c *Command) Result {
	item, there := ks.Lookup(c.Key, a.time)
	switch {
	case !there:
		return Result{Kind: KindNotFound}
	case item.Version != c.Version:
		return Result{Kind: KindConflict, N: int64(item.Version)}
	}
	// Like SET without EX, CAS clears a deadline.
	return a.put(ks, c.Key, c.Value, 0, Result{Kind: KindOK})
}

func (a *applier) delete(ks *cache.Keyspace, c *Command) Result {
	if len(c.Words) == 1 {
		if !a.deleteKey(ks, c.Words[0]) {
			return Result{Kind: KindNotFound}
		}
		return Result{Kind: KindOK}
	}
	if !a.granted { // else it is within one
		ks.BeginCut()
		defer ks.EndCut()
	}
	n := int64(0)
	for _, key := range c.Words {
		if a.deleteKey(ks, key) {
			n++
		}
	}
	return Result{Kind: KindInt, N: n}
}

// deleteKey reports whether there was a key that had not expired. It removes an expired one too.
func (a *applier) deleteKey(ks *cache.Keyspace, key []byte) bool {
	_, there := ks.Lookup(key, a.time)
	ks.Delete(key)
	return there
}

func (a *applier) mset(ks *cache.Keyspace, c *Command) Result {
	if kind, ok := a.roomForAll(ks, c.Words); !ok {
		return Result{Kind: kind}
	}
	a.setAll(ks, c.Words)
	return Result{Kind: KindOK}
}

// setAll stores keys and values in turn, all at once.
func (a *applier) setAll(ks *cache.Keyspace, words [][]byte) {
	if !a.granted {
		ks.BeginCut()
		defer ks.EndCut()
	}
	for i := 0; i+1 < len(words); i += 2 {
		ks.Set(words[i], words[i+1], 0)
	}
}

func (a *applier) incr(ks *cache.Keyspace, c *Command) Result {
	item, there := ks.Lookup(c.Key, a.time)
	value := int64(0)
	if there {
		v, ok := parseInteger(item.Value)
		if !ok {
			return Result{Kind: KindNotANumber}
		}
		value = v
	}
	sum := value + c.N
	if (sum > value) != (c.N > 0) && c.N != 0 {
		return Result{Kind: KindOverflow}
	}
	a.scratch = strconv.AppendInt(a.scratch[:0], sum, 10)
	return a.put(ks, c.Key, a.scratch, item.Deadline, Result{Kind: KindInt, N: sum})
}

// maxInteger is the length of the longest 64-bit integer.
const maxInteger = len("-9223372036854775808")

// parseInteger parses a decimal 64-bit integer as INCR itself would write it, and nothing else: no blanks, no plus
// sign, no leading zeros. It does not read values longer than any integer: a thousand INCRs of half a megabyte of
// text would cost every node a second.
func parseInteger(b []byte) (int64, bool) {
	if len(b) > maxInteger {
		return 0, false
	}
	v, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		return 0, false
	}
	var canonical [20]byte
	return v, bytes.Equal(strconv.AppendInt(canonical[:0], v, 10), b)
}

func (a *applier) append(ks *cache.Keyspace, c *Command) Result {
	item, _ := ks.Lookup(c.Key, a.time)
	limit := c.Limit
	if limit <= 0 || limit > maxValue {
		limit = maxValue
	}
	if int64(len(item.Value)+len(c.Value)) > limit {
		return Result{Kind: KindValueTooLarge}
	}
	a.scratch = append(append(a.scratch[:0], item.Value...), c.Value...)
	return a.put(ks, c.Key, a.scratch, item.Deadline, Result{Kind: KindInt, N: int64(len(a.scratch))})
}

func (a *applier) deadline(ks *cache.Keyspace, key []byte, deadline int64) Result {
	item, there := ks.Lookup(key, a.time)
	if !there {
		return Result{Kind: KindNotFound}
	}
	if kind, ok := a.roomForDeadline(key, item, deadline); !ok {
		return Result{Kind: kind}
	}
	ks.SetDeadline(key, deadline)
	return Result{Kind: KindOK}
}
