package fsm

// Op is what a command does. The values are in the log: append only, and each with its row in operations.
type Op uint8

// The operations. What each has beside Op and Flags is said in its row of operations.
const (
	opNone       Op = iota
	OpSignup        // a new user; Value: bcrypt hash, Limit: limits.max_users of the node that asks (0: none)
	OpPasswd        // Value: new hash, Arg: the hash that the old password was verified against
	OpUnregister    // Arg: the hash that the password was verified against
	OpSet           // store a value; TTL 0: no deadline
	OpDelete        // Words: keys
	OpIncr          // N: delta
	OpAppend        // Limit: the largest value in bytes
	OpExpire        // another deadline
	OpPersist       // no deadline
	OpCAS           // store a value if the key's version is Version
	OpMSet          // Words: key, value, key, value, …
	OpFlush         // remove all of a user's items
	OpSweep         // nothing: its entry's stamp is what removes what is due
	OpGone          // Words: ids of servers that have left the configuration; their origins' rows are dropped
	OpClose         // N: 1 closes the state to whatever makes it grow, 0 opens it again
	OpRefuse        // stands for a command that Refuse took out; Flags: why
	OpRegister      // OpSignup, but the versions of the keyspace begin at the log's time in microseconds
	opEnd
)

// Versions of entries; each says from when on an operation can stand in one.
const (
	version1 = 1
	version2 = 2 // OpRefuse
	version3 = 3 // OpRegister
)

// EntryVersion is the latest version of entries that this release reads.
const EntryVersion = version3

// operation is what is known of an Op beside what it does.
type operation struct {
	// since is the version of entries from which on it is read. In an older one it is a malformed command,
	// as it is to the releases that know no more than that version.
	since byte
	grows bool // it can make the state larger
	// nobody: it is no user's. All others fail with KindSessionEnded if their User is gone.
	nobody bool
	// forgets: ONCE does not remember its reply, whatever that is.
	forgets bool
	fields  []field // in the order in which they are encoded
}

// operations is the one table of them. A new operation has a row here, a case in applier and in the tests'
// model, and nothing else: what may be proposed while older releases are about follows from since.
var operations = [opEnd + 1]operation{
	OpSignup:     {since: version1, nobody: true, fields: []field{fieldName, fieldHash, fieldLimit}},
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
	OpSweep:      {since: version1, nobody: true},
	OpGone:       {since: version1, nobody: true, fields: []field{fieldNames}},
	OpClose:      {since: version1, nobody: true, fields: []field{fieldN}},
	OpRefuse:     {since: version2, forgets: true},
	OpRegister:   {since: version3, nobody: true, fields: []field{fieldName, fieldHash, fieldLimit}},
}

// Since is the version of entries from which on an operation is read: it must not be proposed before every
// server of the cluster reads that version.
func (op Op) Since() int { return int(operations[op].since) }

// The flags of OpSet, those of OpRefuse, and the one that marks a command wrapped in ONCE.
const (
	FlagNX = 1 << 0
	FlagXX = 1 << 1

	// flagUnread: the command was taken out because not every server reads it. Without it: for want of disks.
	flagUnread = 1 << 0
	flagBusy   = 1 << 1 // the entry would have made every node copy too much: see Weights

	flagOnce = 1 << 7
)

// NewUser is the command that makes a user: OpRegister if every server reads that, else OpSignup. limit is
// how many users there may be; 0: any number.
func NewUser(name string, hash []byte, limit int64, reads func(version int) bool) Command {
	c := Command{Op: OpRegister, Name: []byte(name), Value: hash, Limit: limit}
	if !reads(c.Op.Since()) {
		c.Op = OpSignup
	}
	return c
}
