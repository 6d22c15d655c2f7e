package fsm

// Op is what a command does. The values are in the log: append only, each with a row in operations.
type Op uint8

// The operations. Their rows in operations say which fields each has besides Op and Flags.
const (
	opNone       Op = iota
	OpSignup        // a new user; Value: bcrypt hash, Limit: limits.max_users of the node that asks (0: none)
	OpPasswd        // Value: new hash, Arg: User.Proof, with the hash that the old password was checked against
	OpUnregister    // Arg: User.Proof, with the hash that the password was checked against
	OpSet           // store a value; TTL 0: no deadline
	OpDelete        // Words: keys
	OpIncr          // N: delta
	OpAppend        // Limit: the largest value in bytes
	OpExpire        // set another deadline
	OpPersist       // remove the deadline
	OpCAS           // store a value if the key's version is Version
	OpMSet          // Words: key, value, key, value, …
	OpFlush         // remove all of a user's items
	OpSweep         // nothing itself: its entry's stamp removes what is due
	OpGone          // Words: ids of servers that have left the configuration; their origins' rows are dropped
	OpClose         // N: 1 closes the state to everything that makes it grow, 0 opens it again
	OpRefuse        // replaces a command that Refuse took out; Flags: why
	OpRegister      // OpSignup, but the keyspace's versions begin at the log's time in microseconds
	OpLimits        // N: the most memory, Limit: the default quota, both in bytes; 0: none
	OpQuota         // N: the user's own quota in bytes; 0: none
	OpReserve       // N: the user's reserve in bytes

	// From here on TTL is in milliseconds and At in Unix milliseconds. At counts if both are set; 0: there is none. What
	// is not in the future removes the item, and the reply is as if it had been stored.

	OpStore       // store a value under any of the conditions of Redis' SET; Arg, with FlagEqual: the value it must have
	OpGetDelete   // remove an item and return it
	OpDeleteEqual // remove an item if its value is Arg
	OpGetExpire   // return an item and give it another deadline (TTL, At), none (FlagPersist), or leave it as it is
	OpDeadline    // another deadline: in TTL, which may be 0 or less, or At; or none (FlagPersist)
	OpIncrFloat   // Value: the text of what is added
	OpSetRange    // N: where Value is written to in the value; Limit: the largest value in bytes
	OpMove        // Arg: the key to which the item moves, or to which it is copied (FlagCopy)
	OpMSetNX      // Words: key, value, …; nothing is stored if one of the keys is there
	OpExec        // Exec: commands under conditions; Version, with FlagWhole: that of the keyspace
	OpLook        // within an OpExec only: return an item
	OpView        // within an OpExec only: return a view of the keyspace
	OpSeed        // Arg: the seed of SCAN's order, if there is none yet

	OpLock        // N: 1 locks an account, 0 unlocks it
	OpRestore     // a user out of a backup; Value: hash, N: quota, Limit: reserve, Version: where its versions go on
	OpRestoreOnce // an id of ONCE of such a user; Arg: the id, At: when, Limit and N: kind and number of the reply
	OpRestored    // such a user has all that the backup holds of it
	OpBackedUp    // a backup was made; Name: of the node, At: when
	opEnd
)

// Versions of entries. Each operation has the first one in which it may stand.
const (
	version1 = 1
	version2 = 2 // OpRefuse
	version3 = 3 // OpRegister
	version4 = 4 // limits on memory: OpLimits, OpQuota, OpReserve, evictions
	version5 = 5 // what programs that speak Redis need: OpStore to OpSeed, results that hold values
	version6 = 6 // what operators do: OpLock to OpBackedUp
)

// EntryVersion is the latest version of entries that this release reads.
const EntryVersion = version6

// operation is what is known of an Op besides what it does.
type operation struct {
	// since is the first version of entries that may hold the operation. In an older entry it is a malformed
	// command, as it is to releases that know only older versions.
	since byte
	grows bool // it can make the state larger
	// userless: it needs no user. All others fail with KindSessionEnded if their User is gone.
	userless bool
	// forgets: ONCE never remembers its reply.
	forgets bool
	// inside: it may stand in an OpExec. only: and nowhere else.
	inside, only bool
	fields       []field // in the order in which they are encoded
}

// operations is the one table of them. A new operation needs a row here, a case in applier and in the tests' model (and,
// if it stores or copies something, in growth.go, forecast.go, work.go and weights.go): since decides what may be proposed
// while older releases are running.
var operations = [opEnd + 1]operation{
	OpSignup:     {since: version1, userless: true, fields: []field{fieldName, fieldHash, fieldLimit}},
	OpPasswd:     {since: version1, fields: []field{fieldHash, fieldArg}},
	OpUnregister: {since: version1, fields: []field{fieldArg}},
	OpSet:        {since: version1, inside: true, grows: true, fields: []field{fieldKey, fieldValue, fieldTTL}},
	OpDelete:     {since: version1, inside: true, fields: []field{fieldNames}},
	OpIncr:       {since: version1, inside: true, grows: true, fields: []field{fieldKey, fieldN}},
	OpAppend:     {since: version1, inside: true, grows: true, fields: []field{fieldKey, fieldValue, fieldLimit}},
	OpExpire:     {since: version1, inside: true, fields: []field{fieldKey, fieldTTL}},
	OpPersist:    {since: version1, inside: true, fields: []field{fieldKey}},
	OpCAS:        {since: version1, inside: true, grows: true, fields: []field{fieldKey, fieldValue, fieldVersion}},
	OpMSet:       {since: version1, inside: true, grows: true, fields: []field{fieldPairs}},
	OpFlush:      {since: version1, inside: true},
	OpSweep:      {since: version1, userless: true},
	OpGone:       {since: version1, userless: true, fields: []field{fieldNames}},
	OpClose:      {since: version1, userless: true, fields: []field{fieldN}},
	OpRefuse:     {since: version2, forgets: true},
	OpRegister:   {since: version3, userless: true, fields: []field{fieldName, fieldHash, fieldLimit}},
	OpLimits:     {since: version4, userless: true, fields: []field{fieldN, fieldLimit}},
	OpQuota:      {since: version4, fields: []field{fieldN}},
	OpReserve:    {since: version4, fields: []field{fieldN}},

	OpStore:       {since: version5, inside: true, grows: true, fields: []field{fieldKey, fieldValue, fieldTTL, fieldAt, fieldEqual}},
	OpGetDelete:   {since: version5, inside: true, fields: []field{fieldKey}},
	OpDeleteEqual: {since: version5, inside: true, fields: []field{fieldKey, fieldOld}},
	OpGetExpire:   {since: version5, inside: true, fields: []field{fieldKey, fieldTTL, fieldAt}},
	OpDeadline:    {since: version5, inside: true, fields: []field{fieldKey, fieldTTL, fieldAt}},
	OpIncrFloat:   {since: version5, inside: true, grows: true, fields: []field{fieldKey, fieldNumber}},
	OpSetRange:    {since: version5, inside: true, grows: true, fields: []field{fieldKey, fieldN, fieldValue, fieldLimit}},
	OpMove:        {since: version5, inside: true, grows: true, fields: []field{fieldKey, fieldTo}},
	OpMSetNX:      {since: version5, inside: true, grows: true, fields: []field{fieldPairs}},
	OpExec:        {since: version5, fields: []field{fieldVersion, fieldExec}}, // it grows if its commands do
	OpLook:        {since: version5, inside: true, only: true, fields: []field{fieldKey}},
	OpView:        {since: version5, inside: true, only: true},
	OpSeed:        {since: version5, userless: true, fields: []field{fieldSeed}},

	OpLock:        {since: version6, fields: []field{fieldN}},
	OpRestore:     {since: version6, userless: true, fields: []field{fieldName, fieldHash, fieldN, fieldLimit, fieldVersion}},
	OpRestoreOnce: {since: version6, grows: true, forgets: true, fields: []field{fieldArg, fieldAt, fieldLimit, fieldN}},
	OpRestored:    {since: version6, forgets: true},
	OpBackedUp:    {since: version6, userless: true, fields: []field{fieldName, fieldAt}},
}

// Since returns the first version of entries that may hold the operation. It must not be proposed before every
// server of the cluster reads that version.
func (op Op) Since() int { return int(operations[op].since) }

// Since returns the first version of entries that may hold the command and all that it holds.
func (c *Command) Since() int {
	if c.Exec != nil {
		return max(c.Op.Since(), int(c.Exec.since))
	}
	return c.Op.Since()
}

// grows reports whether the command can make the state larger.
func (c *Command) grows() bool { return operations[c.Op].grows || c.Exec != nil && c.Exec.grows }

// The flags of the operations, and the one that marks a command wrapped in ONCE.
const (
	FlagNX = 1 << 0 // only if the key is not there; of OpDeadline: if the item has no deadline
	FlagXX = 1 << 1 // only if the key is there; of OpDeadline: if the item has a deadline

	// Of OpStore.
	FlagEqual   = 1 << 2 // only if the value is Arg
	FlagKeepTTL = 1 << 3 // the deadline stays
	FlagGet     = 1 << 4 // the result is the old value

	FlagGT = 1 << 2 // of OpDeadline: only a later one; no deadline is later than any
	FlagLT = 1 << 3 // of OpDeadline: only an earlier one

	FlagPersist = 1 << 5 // of OpGetExpire and OpDeadline: the deadline is removed
	FlagCopy    = 1 << 2 // of OpMove: the item stays where it is too
	FlagWhole   = 1 << 0 // of OpExec: only if the keyspace has the version Version

	FlagReject = 1 << 0 // what would grow beyond a limit is refused
	FlagFirst  = 1 << 1 // only if no limits have been set yet

	// flagUnread: the command was taken out because not every server reads it. Without it: because the disks are
	// full.
	flagUnread = 1 << 0
	flagBusy   = 1 << 1 // the entry would have made every node copy too much: see Weights

	flagOnce = 1 << 7
)

// NewUser returns the command that makes a user: OpRegister if every server reads it, else OpSignup. limit is the
// most users there may be; 0: any number.
func NewUser(name string, hash []byte, limit int64, reads func(version int) bool) Command {
	c := Command{Op: OpRegister, Name: []byte(name), Value: hash, Limit: limit}
	if !reads(c.Op.Since()) {
		c.Op = OpSignup
	}
	return c
}
