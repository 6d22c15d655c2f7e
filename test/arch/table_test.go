package arch_test

// room is what a package may import of ours, and why no more.
type room struct {
	may []string
	why string
}

// rooms has every package with code that is not a test's. Names are below ciderd/internal, but for those that begin
// with cmd or test. A new one is a line here; may has each arrow, also where another one leads there anyway.
var rooms = map[string]room{
	"":                 {nil, "the module's root: the number of the release, for those that print it"},
	"cache":            {nil, "a leaf: it holds items, and knows of no user, log or cluster"},
	"auth":             {[]string{"tally"}, "it checks passwords, and knows of no session, log or cluster"},
	"protocol":         {nil, "a leaf: it is what a client may say, and knows neither how that is written nor what becomes of it"},
	"protocol/block":   {nil, "a leaf: buffers, whatever is read into them"},
	"protocol/text":    {[]string{"protocol", "protocol/block"}, "it reads and writes lines: it must not know what becomes of a request, nor who answers"},
	"protocol/resp":    {[]string{"protocol", "protocol/block"}, "it reads and writes Redis' protocol, and must not know what becomes of a request, nor who answers"},
	"script":           {nil, "a leaf: it runs a script within bounds; what redis.call does, and whose keys these are, whoever runs it knows"},
	"config":           {nil, "a leaf: it reads the file; daemon hands each value to the room that needs it"},
	"tally":            {nil, "a leaf: it counts, and does not know what"},
	"clock":            {nil, "a leaf: it is told the time, and asks nobody for it"},
	"certs":            {nil, "a leaf: it reads and makes certificates, and knows neither a connection nor what must be encrypted"},
	"machine":          {nil, "a leaf: it asks kernel and runtime what there is, and knows of no limit, node or cache"},
	"peer":             {nil, "it carries bytes between nodes, and never looks into them"},
	"storage":          {[]string{"storage/boltfile", "tally"}, "it keeps what Raft gives it, and never looks into it"},
	"storage/boltfile": {nil, "a leaf: it reads pages, and does not know what their keys and values mean"},
	"fsm": {[]string{"cache", "auth"},
		"it applies the log: it must not know who leads, what this node's file says or what time it is here"},
	"optimistic": {[]string{"fsm", "cache"},
		"it makes one entry of reads and writes: it must not know what a script, a command or a reply is, nor how an entry gets into the log"},
	"pipeline": {[]string{"fsm", "tally"},
		"it keeps writes until they are done: it must not know who leads, nor how a batch gets there"},
	"peerstate": {[]string{"peer"},
		"it knows what nodes say of themselves: what follows from that, the rooms that ask decide"},
	"membership": {[]string{"peer", "peerstate", "storage"},
		"it decides which servers belong: Raft carries that out, and it must not know Raft's library nor the state"},
	"diskspace": {[]string{"peerstate", "storage"},
		"it decides what full disks mean: it gets what it needs of the node as functions, never the node"},
	"divergence": {[]string{"fsm", "peer", "peerstate"},
		"it compares hashes of states: it must not read a state, nor know how it comes about"},
	"eviction": {[]string{"fsm", "cache"},
		"it chooses victims: Raft carries them out, and it gets what it needs of the node as functions"},
	"limits": {[]string{"fsm"},
		"it takes the file's limits into the log: it gets what it needs of the node as functions"},
	"cluster": {[]string{"tally", "pipeline", "fsm", "peer", "peerstate", "storage", "clock", "membership", "diskspace", "divergence", "eviction", "limits"},
		"it gets writes into the log: it must not know what a cache, a session or a password is"},
	"accounts": {[]string{"auth", "fsm"},
		"it makes, checks and removes accounts for whoever asks: it must not know a session, a protocol, or who leads"},
	"session": {[]string{"accounts", "protocol", "fsm", "cache", "clock", "pipeline", "tally"},
		"it serves one client of any protocol: it must not know a syntax, a connection, or where the leader lives (pipeline is there for how a write ends)"},
	"redis": {[]string{"session", "tally", "pipeline", "optimistic", "script", "protocol", "protocol/resp", "fsm", "cache"},
		"it says what Redis' commands mean: it must not know a connection, nor where the cluster is (fsm and cache are there for what is written and read)"},
	"server": {[]string{"session", "redis", "tally", "accounts", "protocol", "protocol/text", "protocol/resp"},
		"it has the ports and the connections: what a client may do, sessions decide"},
	"report": {[]string{"accounts", "auth", "cluster", "fsm", "peerstate", "server"},
		"it says how a node is: it must not know how that is shown, nor change anything"},
	"web": {[]string{"report"},
		"it shows reports over HTTP: it must not know where they come from"},
	"admin/api": {[]string{"membership", "report"},
		"it says what operators can ask a node, for both halves: it must not know who answers"},
	"admin": {[]string{"admin/api", "membership", "report"},
		"it lets the operator ask a node: it must not know what wires that node, nor any session"},
	"cli": {[]string{"admin/api", "certs", "config", "membership", "report"},
		"it asks a node over its socket, as anybody could: it must not know what runs in there"},
	"recovery": {[]string{"fsm", "peer", "storage"},
		"it works on the directory of a node that is stopped: it must not know one that runs"},
	"daemon": {[]string{"accounts", "admin", "admin/api", "auth", "certs", "cluster", "config", "fsm", "limits", "machine", "peer", "recovery", "redis", "report", "server", "storage", "web"},
		"it wires what lies below it"},
	"cmd/ciderd": {[]string{"cli", "daemon", "config", "recovery"},
		"it takes signals and says what a process does: what is wired, daemon wires, so that tests can too (recovery is there for the words of what it prints)"},
	"test/nodetest": {[]string{"accounts", "fsm", "clock"}, "it stands in for a node in the tests of what a node serves"},
	"test/overlay":  {nil, "it changes sources by their text: it must not know the program, which it may break"},
	"test/harness":  {[]string{"test/overlay"}, "it runs nodes for tests from outside, as people do: it must not look into them"},
	"test/torture": {[]string{"test/harness", "test/torture/faults", "test/torture/judge", "test/torture/load", "test/torture/rig"},
		"it deals faults and reports: it must not look into the nodes that it breaks"},
	"test/torture/faults": {[]string{"test/harness", "test/torture/judge", "test/torture/load", "test/torture/powerfs", "test/torture/rig"},
		"it breaks nodes: it must not know whose turn it is"},
	"test/torture/judge": {[]string{"test/harness"}, "it judges records: it must not know a node, nor how a record was made (harness is there for the codes of errors)"},
	"test/torture/load": {[]string{"test/harness", "test/torture/judge", "test/torture/rig"},
		"it writes and reads: it must not know what is done to the nodes"},
	"test/torture/rig": {[]string{"test/harness", "test/overlay", "test/torture/judge", "test/torture/powerfs"},
		"it makes nodes for tests from outside: it must not look into them (judge is there for what a violation is)"},
	"test/torture/powerfs":    {nil, "it is a file system: it does not know whose"},
	"test/torture/plants":     {[]string{"test/overlay"}, "it breaks sources by their text: it must not know the program"},
	"test/torture/cmd":        {[]string{"test/torture", "test/torture/plants", "test/torture/rig"}, "it runs torture"},
	"test/torture/plants/cmd": {[]string{"test/overlay", "test/torture/plants"}, "it runs torture, as people do, and the tests"},
}

// library is what a package of others, and what lies below it, may be imported by, and why by nobody else.
type library struct {
	path string
	in   []string
	why  string
}

// libraries are held where one room, or a few, keep a library from all others. What all may use (hclog) is not
// here. Each room of in imports it.
var libraries = []library{
	{"github.com/hashicorp/raft", []string{"cluster", "fsm", "storage", "recovery", "test/nodetest"},
		"Raft is behind cluster; fsm is what it applies to, storage what it writes to, recovery what it is recovered with, nodetest what gives an FSM its entries"},
	{"github.com/hashicorp/raft-boltdb", []string{"storage"}, "how the log lies on the disk is storage's to know"},
	{"go.etcd.io/bbolt", []string{"storage"}, "how the log lies on the disk is storage's to know"},
	{"github.com/hashicorp/go-msgpack", []string{"cluster"}, "Raft's own messages are written in it, and cluster alone reads those"},
	{"github.com/klauspost/compress", []string{"fsm"}, "what is compressed is the snapshot"},
	{"github.com/google/btree", []string{"cache"}, "how keys are ordered is the cache's to know"},
	{"github.com/cespare/xxhash", []string{"cache", "fsm"}, "it makes the state's hash, which all nodes must agree on"},
	{"github.com/dchest/siphash", []string{"fsm"}, "it orders keys for SCAN, on all nodes alike"},
	{"github.com/yuin/gopher-lua", []string{"script"}, "a script is run within bounds that the library has not, or not at all"},
	{"golang.org/x/crypto", []string{"auth"}, "a password is hashed in the fair queue for it, or not at all"},
	{"github.com/hashicorp/hcl", []string{"config"}, "the file's syntax is config's; all others get values"},
	{"github.com/zclconf/go-cty", []string{"config"}, "the file's syntax is config's; all others get values"},
	{"github.com/agext/levenshtein", []string{"config"}, "it is there to guess what a mistyped name in the file was meant to be"},
	{"github.com/pires/go-proxyproto", []string{"server"}, "what a proxy says of a connection is read before the connection is anything else"},
	{"golang.org/x/net", []string{"web"}, "it limits the connections of the HTTP port"},
	{"golang.org/x/sys", []string{"server"}, "it sets and asks what the kernel knows of a client's connection"},
	{"golang.org/x/term", []string{"cli"}, "a person at a terminal is there for the command line only"},
	{"github.com/mattn/go-isatty", []string{"daemon"}, "how the log looks is decided where it is set up"},
	{"flag", []string{"cli", "test/torture/cmd", "test/torture/plants/cmd"}, "flags are read where the process begins, and handed down as values"},
	{"os/signal", []string{"cmd/ciderd", "test/torture/cmd", "test/torture/plants/cmd"}, "signals are for whoever owns the process"},
	{"testing", []string{"test/harness"}, "the program has no test's code in it"},
	{"github.com/anishathalye/porcupine", []string{"test/torture/judge"}, "it judges histories"},
	{"github.com/hanwen/go-fuse", []string{"test/torture/powerfs"}, "it makes a file system that forgets"},
}
