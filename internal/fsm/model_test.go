package fsm

import (
	"cmp"
	"math"
	"math/big"
	"regexp"
	"slices"
	"strconv"
)

// The model is the replicated state in plain maps, with a time of its own. It shares no code with
// the FSM but Command, Result and the constants that are part of the contract.

type modelItem struct {
	value    string
	version  uint64
	deadline int64
}

type modelOnce struct {
	id     string
	at     int64
	result Result
}

type modelUser struct {
	name, hash     string
	epoch, version uint64
	items          map[string]modelItem
	once           []modelOnce
	quota, reserve int64
	evicted        uint64
	locked         bool
	restoring      bool
}

type model struct {
	now     int64
	users   map[uint64]*modelUser
	last    uint64
	closed  bool
	origins map[string][2]uint64 // incarnation, sequence
	limits  modelLimits
	seed    string
	backup  Backup
	index   uint64 // entries so far
	version int    // the highest of them
}

// end is what comes at the end of each entry.
func (m *model) end(version int) {
	m.index++
	m.version = max(m.version, version)
	if m.version < 4 || m.last == 0 {
		return
	}
	if u := m.users[1+m.index%m.last]; u != nil {
		for n := 0; n < 256 && len(u.once) > 1000 && u.once[0].at+600_000 <= m.now; n++ {
			u.once = u.once[1:]
		}
	}
}

func newModel() *model {
	return &model{users: map[uint64]*modelUser{}, origins: map[string][2]uint64{}}
}

// apply is a batch in the log: its results, or false if it is to be skipped.
func (m *model) apply(h Header, commands []Command) ([]Result, bool) {
	m.now = max(m.now, h.Stamp)
	row := m.origins[string(h.Origin)]
	switch {
	case h.Incarnation < row[0]:
		return nil, false
	case h.Incarnation == row[0] && h.Sequence != row[1]+1:
		return nil, false
	case h.Incarnation > row[0] && h.Sequence != 1:
		return nil, false
	}
	m.origins[string(h.Origin)] = [2]uint64{h.Incarnation, h.Sequence}
	m.expire(256)
	results := make([]Result, len(commands))
	for i := range commands {
		results[i] = m.command(&commands[i])
	}
	return results, true
}

// expire removes what is due: by deadline, user and key.
func (m *model) expire(limit int) int64 {
	type due struct {
		at  int64
		id  uint64
		key string
	}
	var all []due
	for id, u := range m.users {
		for key, it := range u.items {
			if it.deadline != 0 && it.deadline <= m.now {
				all = append(all, due{it.deadline, id, key})
			}
		}
	}
	slices.SortFunc(all, func(a, b due) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.id, b.id), cmp.Compare(a.key, b.key))
	})
	all = all[:min(limit, len(all))]
	for _, d := range all {
		m.users[d.id].remove(d.key)
	}
	return int64(len(all))
}

func (u *modelUser) put(key, value string, deadline int64) {
	u.version++
	u.items[key] = modelItem{value, u.version, deadline}
}

// put stores an item if there is room.
func (m *model) put(u *modelUser, key []byte, value string, deadline int64, done Result) Result {
	if why := m.roomForItem(u, string(key), value, deadline); why != KindNone {
		return Result{Kind: why}
	}
	u.put(string(key), value, deadline)
	return done
}

func (u *modelUser) remove(key string) {
	if _, ok := u.items[key]; ok {
		u.version++
		delete(u.items, key)
	}
}

// seen is the item of key that has not expired.
func (m *model) seen(u *modelUser, key []byte) (modelItem, bool) {
	it, ok := u.items[string(key)]
	if !ok || it.deadline != 0 && it.deadline <= m.now {
		return modelItem{}, false
	}
	return it, true
}

func (m *model) in(ttl int64) int64 {
	if ttl <= 0 {
		return 0
	}
	sum := new(big.Int).Add(big.NewInt(m.now), big.NewInt(ttl))
	if !sum.IsInt64() {
		return math.MaxInt64
	}
	return sum.Int64()
}

func (m *model) command(c *Command) Result {
	switch c.Op {
	case OpSweep:
		return Result{Kind: KindInt, N: m.expire(4096)}
	case OpGone:
		for _, id := range c.Words {
			delete(m.origins, string(id))
		}
		return Result{Kind: KindOK}
	case OpClose:
		m.closed = c.N != 0
		return Result{Kind: KindOK}
	case OpLimits:
		return m.setLimits(c)
	case OpSeed:
		if m.seed != "" {
			return Result{Kind: KindExists}
		}
		m.seed = string(c.Arg)
		return Result{Kind: KindOK}
	case OpRestore:
		return m.restore(c)
	case OpBackedUp:
		at := min(c.At, m.now)
		if at <= 0 || len(c.Name) == 0 {
			return Result{}
		}
		if at <= m.backup.At {
			return Result{Kind: KindExists}
		}
		m.backup = Backup{string(c.Name), at}
		return Result{Kind: KindOK}
	case OpSignup:
		return m.signup(c, 0)
	case OpRegister:
		return m.signup(c, uint64(m.now)*1000)
	}
	u := m.users[c.User]
	switch {
	case u == nil:
		return Result{Kind: KindSessionEnded}
	case c.Op == OpRestoreOnce:
		return m.restoreOnce(u, c)
	case c.Op == OpRestored:
		if !u.restoring {
			return Result{Kind: KindExists}
		}
		u.restoring = false
		return Result{Kind: KindOK}
	case len(c.Once) == 0:
		return m.write(u, c)
	}
	if i := slices.IndexFunc(u.once, func(o modelOnce) bool { return o.id == string(c.Once) }); i >= 0 {
		return u.once[i].result
	}
	for len(u.once) > 1000 && u.once[0].at+600_000 <= m.now {
		u.once = u.once[1:]
	}
	if len(u.once) >= 100_000 {
		return Result{Kind: KindOnceFull}
	}
	shut := m.closed && m.grows(c)
	if why := m.roomForID(u, c.Once); why != KindNone && !shut {
		return Result{Kind: why}
	}
	r := m.write(u, c)
	passing := []Kind{KindMemoryFull, KindQuota, KindAtLimit, KindValue, KindExec}
	if !slices.Contains(passing, r.Kind) { // they may well go through when they are sent again, or hold values
		u.once = append(u.once, modelOnce{string(c.Once), m.now, r})
	}
	return r
}

func (m *model) signup(c *Command, version uint64) Result {
	for _, u := range m.users {
		if u.name == string(c.Name) {
			return Result{Kind: KindUserExists}
		}
	}
	if m.closed {
		return Result{Kind: KindMemoryFull}
	}
	if c.Limit > 0 && len(m.users) >= int(c.Limit) {
		return Result{Kind: KindSignupFull}
	}
	if !m.roomForUser(c.Name, c.Value) {
		return Result{Kind: KindAtLimit}
	}
	m.last++
	m.users[m.last] = &modelUser{name: string(c.Name), hash: string(c.Value), epoch: 1, version: version, items: map[string]modelItem{}}
	return Result{Kind: KindUser, N: int64(m.last)}
}

func (m *model) write(u *modelUser, c *Command) Result {
	if m.closed && m.grows(c) {
		return Result{Kind: KindMemoryFull}
	}
	switch {
	case c.Op == OpLock:
		return u.lock(c.N != 0)
	case c.Op >= OpStore:
		return m.write5(u, c)
	}
	it, there := m.seen(u, c.Key)
	if !there && (c.Op == OpExpire || c.Op == OpPersist || c.Op == OpCAS) {
		return Result{Kind: KindNotFound}
	}
	switch c.Op {
	case OpSet:
		if there && c.Flags&FlagNX != 0 {
			return Result{Kind: KindExists}
		}
		if !there && c.Flags&FlagXX != 0 {
			return Result{Kind: KindNotFound}
		}
		return m.put(u, c.Key, string(c.Value), m.in(c.TTL), Result{Kind: KindOK})
	case OpDelete:
		return m.delete(u, c.Words)
	case OpIncr:
		return m.incr(u, c, it, there)
	case OpAppend:
		limit := 1 << 20
		if c.Limit > 0 {
			limit = min(limit, int(c.Limit))
		}
		if len(it.value)+len(c.Value) > limit {
			return Result{Kind: KindValueTooLarge}
		}
		return m.put(u, c.Key, it.value+string(c.Value), it.deadline, Result{Kind: KindInt, N: int64(len(it.value) + len(c.Value))})
	case OpExpire:
		if it.deadline == 0 && m.in(c.TTL) != 0 {
			if why := m.room(u, itemMemory(string(c.Key), it.value, 1), it.memory(string(c.Key)), true); why != KindNone {
				return Result{Kind: why}
			}
		}
		u.put(string(c.Key), it.value, m.in(c.TTL))
	case OpPersist:
		u.put(string(c.Key), it.value, 0)
	case OpCAS:
		if it.version != c.Version {
			return Result{Kind: KindConflict, N: int64(it.version)}
		}
		return m.put(u, c.Key, string(c.Value), 0, Result{Kind: KindOK})
	case OpMSet:
		if why := m.roomForAll(u, c.Words); why != KindNone {
			return Result{Kind: why}
		}
		for i := 0; i+1 < len(c.Words); i += 2 {
			u.put(string(c.Words[i]), string(c.Words[i+1]), 0)
		}
	case OpFlush:
		if len(u.items) > 0 {
			u.version++
		}
		clear(u.items)
	case OpQuota, OpReserve:
		return m.setShare(u, c)
	default:
		return m.password(u, c)
	}
	return Result{Kind: KindOK}
}

func (m *model) delete(u *modelUser, keys [][]byte) Result {
	n := int64(0)
	for _, key := range keys {
		if _, there := m.seen(u, key); there {
			n++
		}
		u.remove(string(key))
	}
	if len(keys) != 1 {
		return Result{Kind: KindInt, N: n}
	}
	if n == 0 {
		return Result{Kind: KindNotFound}
	}
	return Result{Kind: KindOK}
}

var canonicalInteger = regexp.MustCompile(`^(0|-?[1-9][0-9]*)$`)

func (m *model) incr(u *modelUser, c *Command, it modelItem, there bool) Result {
	value := new(big.Int)
	if there {
		if !canonicalInteger.MatchString(it.value) {
			return Result{Kind: KindNotANumber}
		}
		value.SetString(it.value, 10)
		if !value.IsInt64() {
			return Result{Kind: KindNotANumber}
		}
	}
	if value.Add(value, big.NewInt(c.N)); !value.IsInt64() {
		return Result{Kind: KindOverflow}
	}
	return m.put(u, c.Key, strconv.FormatInt(value.Int64(), 10), it.deadline, Result{Kind: KindInt, N: value.Int64()})
}

func (u *modelUser) lock(on bool) Result {
	switch {
	case u.locked == on:
		return Result{Kind: KindExists}
	case on:
		u.epoch++
	}
	u.locked = on
	return Result{Kind: KindOK}
}

// password is PASSWD and UNREGISTER, which need the hash that the user still has, with a mark if it is locked.
func (m *model) password(u *modelUser, c *Command) Result {
	proof := u.hash
	if u.locked {
		proof = "!" + u.hash
	}
	if proof != string(c.Arg) {
		return Result{Kind: KindAuthFailed}
	}
	if c.Op == OpUnregister {
		delete(m.users, c.User)
	} else {
		u.hash, u.epoch = string(c.Value), u.epoch+1
	}
	return Result{Kind: KindOK}
}
