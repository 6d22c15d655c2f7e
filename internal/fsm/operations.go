package fsm

// Op is what a command does. The values are in the log: append only, each with a row in operations.
type Op uint8

// The operations. Their rows in operations say which fields each has besides Op and Flags.
const (
	opNone       Op = iota
	OpSignup        // a new user; Value: bcrypt hash, Limit: limits.max_users of the node that asks (0: none)
	OpPasswd        // Value: new hash, Arg: the hash that the old password was checked against
	OpUnregister    // Arg: the hash that the password was checked against
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
	opEnd
)

// Versions of entries. Each operation has the first one in which it may stand.
const (
	version1 = 1
	version2 = 2 // OpRefuse
	version3 = 3 // OpRegister
	version4 = 4 // limits on memory: OpLimits, OpQuota, OpReserve, evictions
)

// EntryVersion is the latest version of entries that this release reads.
const EntryVersion = version4

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
	fields  []field // in the order in which they are encoded
}

// operations is the one table of them. A new operation needs a row here, a case in applier and in the tests' model,
// and nothing else: since decides what may be proposed while older releases are running.
var operations = [opEnd + 1]operation{
	OpSignup:     {since: version1, userless: true, fields: []field{fieldName, fieldHash, fieldLimit}},
	OpPasswd:     {since: version1, fields: []field{fieldHash, fieldArg}},
	OpUnregister: {since: version1, fields: []field{fieldArg}},
	OpSet:        {since: version1, grows: true, fields: []field{fieldKey, fieldValue, fieldTTL}},
	OpDelete:     {since: version1, fields: []field{fieldNames}},
	OpIncr:       {since: version1, grows: true, fields: []field{fieldKey, fieldN}},
	OpAppend:     {since: version1, grows: true, fields: []field{fieldKey, fieldValue, fieldLimit}},
	OpExpire:     {since: version1, fields: []field{fieldKey, fieldTTL}},
	OpPersist:    {since: version1, fields: []field{fieldKey}},
	OpCAS:        {since: version1, grows: true, fields: []field{fieldKey, fieldValue, fieldVersion}},
	OpMSet:       {since: version1, grows: true, fields: []field{fieldPairs}},
	OpFlush:      {since: version1},
	OpSweep:      {since: version1, userless: true},
	OpGone:       {since: version1, userless: true, fields: []field{fieldNames}},
	OpClose:      {since: version1, userless: true, fields: []field{fieldN}},
	OpRefuse:     {since: version2, forgets: true},
	OpRegister:   {since: version3, userless: true, fields: []field{fieldName, fieldHash, fieldLimit}},
	OpLimits:     {since: version4, userless: true, fields: []field{fieldN, fieldLimit}},
	OpQuota:      {since: version4, fields: []field{fieldN}},
	OpReserve:    {since: version4, fields: []field{fieldN}},
}

// Since returns the first version of entries that may hold the operation. It must not be proposed before every
// server of the cluster reads that version.
func (op Op) Since() int { return int(operations[op].since) }

// The flags of OpSet, of OpLimits and of OpRefuse, and the one that marks a command wrapped in ONCE.
const (
	FlagNX = 1 << 0
	FlagXX = 1 << 1

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
