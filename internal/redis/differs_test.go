package redis

import (
	"strings"
	"testing"
	"time"

	"ciderd/internal/pipeline"
	"ciderd/internal/protocol/resp"
	"ciderd/internal/session"
)

func TestOurOwnCommands(t *testing.T) {
	w := start(t, session.Config{})
	w.node.OnSync = nil
	p := w.user("alice")
	version := func(key string) string {
		fields := strings.Fields(shown(p.do("CIDERD.GETV", key)))
		if len(fields) < 2 {
			t.Fatalf("GETV %s: %q", key, fields)
		}
		return strings.TrimPrefix(fields[1], ":")
	}
	p.talk(`
		> CIDERD.GETV k
		$-1
		> CIDERD.CAS k 1 v
		$-1
		> SET k v EX 100
		+OK
		> CIDERD.SYNC
		+OK
	`)
	at := version("k")
	p.talk(`
		> CIDERD.GETV k
		*3 :` + at + ` :100 $1 v
		> CIDERD.CAS k 1 w
		-CONFLICT ` + at + `
		> CIDERD.CAS k x w
		-ERR a version is an unsigned integer of 64 bits
		> CIDERD.CAS k ` + at + ` w
		+OK
	`)
	p.talk(`
		> CIDERD.CAS k ` + at + ` x
		-CONFLICT ` + version("k") + `
		> CIDERD.GETV k
		*3 :` + version("k") + ` :-1 $1 w
	`)
}

func TestOnceDoesAWriteOnce(t *testing.T) {
	w := start(t, session.Config{})
	p, q := w.user("alice"), w.user("alice")
	for _, p := range []*peer{p, q} {
		p.talk(`
			> CIDERD.ONCE i1 INCR n
			:1
			> CIDERD.ONCE i2 SET k v NX
			+OK
			> CIDERD.ONCE i3 SET k v NX
			$-1
			> CIDERD.ONCE i4 INCR k
			-ERR value is not an integer or out of range
			> CIDERD.ONCE i5 DEL none
			:0
			> CIDERD.ONCE i6 MSETNX a 1 k 2
			:0
			> CIDERD.ONCE i7 RENAME none x
			-ERR no such key
		`)
	}
	for _, refused := range []string{"GETDEL k", "GETEX k", "GETEX k EX x", "GETSET k v", "SET k v GET", "INCRBYFLOAT n 1", "GET k", "PING", "MULTI", "EXEC",
		"CIDERD.ONCE j INCR n", "EVAL x 0"} {
		p.talk("> CIDERD.ONCE id " + refused + "\n-ERR CIDERD.ONCE wraps a write whose reply is OK, nil, an integer or an error")
	}
	p.talk(`
		> CIDERD.ONCE "" INCR n
		-ERR an id has 1 to 64 bytes
		> CIDERD.ONCE ` + strings.Repeat("i", 65) + ` INCR n
		-ERR an id has 1 to 64 bytes
		> CIDERD.ONCE i8 FOO n
		~ -ERR unknown command 'FOO', with args beginning with: 'n'
		> CIDERD.ONCE i8 INCR
		-ERR wrong number of arguments for 'incr' command
		> CIDERD.ONCE i8 INCR ""
		-ERR a key has 1 to 1024 bytes
		> GET n
		$1 1
	`)
}

func TestKeysHaveLimits(t *testing.T) {
	p := start(t, session.Config{}).user("alice")
	long, longest := strings.Repeat("k", 1025), strings.Repeat("k", 1024)
	p.talk(`
		> SET "" v
		-ERR a key has 1 to 1024 bytes
		> GET ` + long + `
		-ERR a key has 1 to 1024 bytes
		> MSET a 1 ` + long + ` 2
		-ERR a key has 1 to 1024 bytes
		> COPY a ` + long + `
		-ERR a key has 1 to 1024 bytes
		> SET ` + longest + ` v
		+OK
		> GET ` + longest + `
		$1 v
		> MULTI
		+OK
		> SET "" v
		-ERR a key has 1 to 1024 bytes
		> EXEC
		-EXECABORT Transaction discarded because of previous errors.
	`)
}

func TestValuesHaveALimit(t *testing.T) {
	p := start(t, session.Config{MaxValue: 1024}).user("alice")
	fits := strings.Repeat("v", 1024)
	p.talk(`
		> SET k ` + fits + `
		+OK
		> SET k ` + fits + `v
		-ERR string exceeds maximum allowed size (proto-max-bulk-len)
		> APPEND k v
		-ERR string exceeds maximum allowed size (proto-max-bulk-len)
		> SETRANGE k 1024 v
		-ERR string exceeds maximum allowed size (proto-max-bulk-len)
		> SETRANGE k 9223372036854775807 v
		-ERR string exceeds maximum allowed size (proto-max-bulk-len)
		> STRLEN k
		:1024
	`)
}

func TestWhatIsOneEntryHasALimit(t *testing.T) {
	p := start(t, session.Config{MaxValue: 1 << 20}).user("alice")
	mset := []string{"MSET"}
	for _, key := range numbered("k", 5) {
		mset = append(mset, key, strings.Repeat("v", 1<<20-1024))
	}
	if got := p.do(mset...); got != "-"+string(resp.ErrTooLarge)+"\r\n" {
		t.Errorf("MSET of 5 MiB is answered %.80q", got)
	}
	if got := p.do(mset[:9]...); got != "+OK\r\n" {
		t.Errorf("MSET of 4 MiB is answered %.80q", got)
	}
	p.talk("> DBSIZE\n:4")
}

func TestAnUpgradeLeavesWhatTheFirstVersionHas(t *testing.T) {
	w := start(t, session.Config{})
	p := w.user("alice")
	w.node.SetReads(4)
	p.talk(`
		> SET k v
		+OK
		> SET k v EX 100 XX
		+OK
		> SET k v PX 100 NX
		$-1
		> SETNX k v
		:0
		> SETEX k 100 v
		+OK
		> PSETEX k 100000 v
		+OK
		> EXPIRE k 50
		:1
		> EXPIRE none 50
		:0
		> INCR n
		:1
		> DECRBY n 5
		:-4
		> APPEND k w
		:2
		> MSET a 1 b 2
		+OK
		> DEL a
		:1
		> DEL a b
		:1
		> GET k
		$2 vw
		> CIDERD.CAS none 1 v
		$-1
	`)
	for _, late := range []string{"SET k v GET", "SET k v KEEPTTL", "SET k v EXAT 4000000000", "GETDEL k", "GETSET k v", "GETEX k PERSIST", "EXPIRE k 100 NX",
		"PERSIST k", "RENAME k l", "COPY k l", "MSETNX x 1", "SETRANGE k 0 x", "INCRBYFLOAT n 1", "DELIFEQ k v"} {
		p.talk("> " + late + "\n~ -ERR the cluster is being upgraded")
	}
	p.talk("> MULTI\n+OK\n> SET k x\n+QUEUED\n> EXEC\n~ -ERR the cluster is being upgraded\n> GET k\n$2 vw")
	w.node.SetReads(5)
	p.talk("> MULTI\n+OK\n> SET k x\n+QUEUED\n> EXEC\n*1 +OK\n> GETDEL k\n$1 x")
}

func TestWhatCouldNotBeWritten(t *testing.T) {
	w := start(t, session.Config{})
	p := w.user("alice")
	for err, want := range map[error]string{
		pipeline.ErrBusy: "~ -TRYAGAIN ", pipeline.ErrNoLeader: "~ -TRYAGAIN ", pipeline.ErrTimeout: "-TIMEOUT the outcome is not known",
	} {
		w.node.Fail(err)
		p.talk("> SET k v\n" + want + "\n> GETDEL k\n" + want + "\n> MULTI\n+OK\n> SET k v\n+QUEUED\n> PING\n+QUEUED\n> EXEC\n" + want + "\n> PING\n+PONG")
	}
	w.node.Fail(nil)
	w.node.SetReady(false)
	p.talk("> GET k\n~ -LOADING \n> SET k v\n~ -LOADING \n> WATCH k\n~ -LOADING \n> ECHO x\n$1 x")
	w.node.SetReady(true)
	w.node.Fail(pipeline.ErrShutdown)
	if got := p.do("SET", "k", "v"); got != "" || !p.Over() {
		t.Errorf("a write while the node stops is answered %q", got)
	}
}

func TestWhatEndsASessionIsNoReply(t *testing.T) {
	w := start(t, session.Config{})
	p, q := w.user("alice"), w.user("alice")
	if got := p.do("CLIENT", "KILL", "ID", "2"); got != ":1\r\n" || !q.ended.Load() || p.ended.Load() {
		t.Errorf("CLIENT KILL is answered %q", got)
	}
	p.talk("> CLIENT KILL ID 1\n:0\n> CLIENT KILL ID 1 SKIPME no\n:1")
	if !p.ended.Load() {
		t.Error("a session cannot end itself")
	}
}

func TestRefusedAndUnknownCommands(t *testing.T) {
	p := start(t, session.Config{}).user("alice")
	p.talk(`
		> CLIENT TRACKING on
		-ERR CLIENT TRACKING is not supported
		> CLIENT PAUSE 100
		-ERR CLIENT PAUSE is not supported
		> LPUSH k v
		~ -ERR unknown command 'LPUSH', with args beginning with: 'k' 'v'
		> SELECT 1
		-ERR DB index is out of range
		> READONLY
		+OK
		> READWRITE
		+OK
		> CLIENT SETINFO lib-name redis-py
		+OK
		> CLIENT SETINFO lib-ver "a b"
		-ERR lib-ver cannot contain spaces, newlines or special characters.
		> CLIENT SETINFO foo x
		-ERR Unrecognized option 'foo'
		> CLIENT NO-TOUCH on
		+OK
		> DELIFEQ k v
		:0
		> SET k v
		+OK
		> DELIFEQ k w
		:0
		> SET k w IFEQ x
		$-1
		> SET k w IFEQ v
		+OK
		> DELIFEQ k w
		:1
		> CLIENT INFO
		~ $
		> COMMAND COUNT
		~ :
		> TIME
		~ *2 $10 1700000000 $
	`)
}

func TestObjectFollowsWhatIsDoneAtTheLimit(t *testing.T) {
	p := start(t, session.Config{}).user("alice")
	p.talk("> SET k v\n+OK\n> OBJECT FREQ k\n:0\n> OBJECT IDLETIME k\n~ -ERR An LFU maxmemory policy is selected\n> OBJECT REFCOUNT k\n:1")
}

func TestRepliesCanBeTurnedOff(t *testing.T) {
	p := start(t, session.Config{}).user("alice")
	p.talk("> CLIENT REPLY SKIP")
	for _, step := range []struct{ send, want string }{
		{"CLIENT REPLY SKIP", ""}, {"SET k v", ""}, {"SET k w", "+OK"}, {"GET k", "$1 w"},
		{"CLIENT REPLY SKIP", ""}, {"GET k", ""}, {"GET k", "$1 w"},
		{"CLIENT REPLY SKIP", ""}, {"FOO", ""}, {"PING", "+PONG"},
		{"CLIENT REPLY OFF", ""}, {"SET k x", ""}, {"GET k", ""}, {"CLIENT REPLY SKIP", ""}, {"FOO", ""}, {"CLIENT REPLY ON", "+OK"}, {"GET k", "$1 x"},
	} {
		if got := shown(p.do(strings.Fields(step.send)...)); got != step.want {
			t.Errorf("%s is answered %q, want %q", step.send, got, step.want)
		}
	}
}

func TestTimesGoByTheClusterClock(t *testing.T) {
	w := start(t, session.Config{})
	p := w.user("alice")
	p.talk("> SET k v PX 1500\n+OK\n> PTTL k\n:1500\n> TTL k\n:2\n> PEXPIRETIME k\n:1700000001500\n> EXPIRETIME k\n:1700000002")
	w.node.Advance(600 * time.Millisecond)
	p.Session.Rest()
	p.talk("> PTTL k\n:900\n> TTL k\n:1\n> EXPIRE k 100 LT\n:0\n> EXPIRE k 100 GT\n:1")
	w.node.Advance(100 * time.Second)
	p.Session.Rest()
	p.talk("> GET k\n$-1\n> TTL k\n:-2\n> DBSIZE\n:0\n> RANDOMKEY\n$-1\n> KEYS *\n*0")
}

// The time of a GETEX matters only if the key is there.
func TestGetExLooksAtTheKeyFirst(t *testing.T) {
	p := start(t, session.Config{}).user("alice")
	p.talk(`
		> GETEX k EX x
		$-1
		> GETEX k EX 0
		$-1
		> GETEX k FOO
		-ERR syntax error
		> SET k v
		+OK
		> GETEX k EX x
		-ERR value is not an integer or out of range
		> GETEX k EX 0
		-ERR invalid expire time in 'getex' command
		> GETEX k
		$1 v
		> MULTI
		+OK
		> GETEX none EX x
		+QUEUED
		> GETEX none EX 0
		+QUEUED
		> GETEX k EX x
		+QUEUED
		> GETEX k EX 0
		+QUEUED
		> EXEC
		*4 $-1 $-1 -ERR value is not an integer or out of range -ERR invalid expire time in 'getex' command
	`)
}
