package redis

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ciderd/internal/session"
)

// around starts a node of a cluster of three, of which the second does not answer.
func around(t *testing.T) *world {
	w := start(t, session.Config{IdleTimeout: 300e9})
	w.redis.config = Config{
		Cluster: "prod", Version: "1.2.3",
		Nodes: []Node{
			{"n1", "10.0.0.1", 6379, 6380}, {"n2", "10.0.0.2", 6379, 0}, {"n3", "cache-3.example", 7379, 7380},
		},
		Now: func() Now { return Now{Applied: 77, Voters: 3, Silent: map[string]bool{"n2": true}} },
	}
	return w
}

func TestSentinelNamesTheNodeThatIsAsked(t *testing.T) {
	w := around(t)
	p := w.user("alice")
	p.talk(`
		> SENTINEL GET-MASTER-ADDR-BY-NAME prod
		*2 $8 10.0.0.1 $4 6379
		> SENTINEL get-master-addr-by-name other
		*-1
		> SENTINEL MASTER other
		-ERR No such master with that name
		> SENTINEL REPLICAS other
		-ERR No such master with that name
		> SENTINEL SENTINELS other
		-ERR No such master with that name
		> SENTINEL MYID
		$40 ` + w.redis.config.runID("n1") + `
		> ROLE
		*3 $6 master :77 *0
		> WAIT 1 0
		:1
		> WAIT x 0
		-ERR value is not an integer or out of range
		> WAIT 1 x
		-ERR timeout is not an integer or out of range
		> WAIT 1 -1
		-ERR timeout is negative
	`)
	for command, wants := range map[string][]string{
		"MASTERS":       {"*1 *", "$4 name $4 prod", "$2 ip $8 10.0.0.1", "$5 flags $6 master", "$19 num-other-sentinels $1 2", "$6 quorum $1 2"},
		"MASTER prod":   {"$4 name $4 prod", "$10 num-slaves $1 2"},
		"REPLICAS prod": {"*2 *", "$4 name $13 10.0.0.2:6379", "$5 flags $25 s_down,slave,disconnected", "$4 name $20 cache-3.example:7379", "$5 flags $5 slave", "$11 master-host $8 10.0.0.1"},
		"SENTINELS prod": {"*2 *", "$4 name $40 " + w.redis.config.runID("n2"), "$5 flags $28 s_down,sentinel,disconnected",
			"$2 ip $15 cache-3.example $4 port $4 7379", "$5 flags $8 sentinel"},
	} {
		got := shown(p.do(append([]string{"SENTINEL"}, strings.Fields(command)...)...))
		for _, want := range wants {
			if !strings.Contains(got, want) {
				t.Errorf("SENTINEL %s has no %q: %s", command, want, got)
			}
		}
	}
	p.card.addresses.TLS = true // as on redis_tls
	p.talk(`
		> SENTINEL GET-MASTER-ADDR-BY-NAME prod
		*2 $8 10.0.0.1 $4 6380
	`)
	if got := p.do("SENTINEL", "SENTINELS", "prod"); strings.Contains(got, "10.0.0.2") {
		t.Errorf("a node without such a port is named: %q", got)
	}
	w.all.Stop()
	p.talk(`
		> SENTINEL GET-MASTER-ADDR-BY-NAME prod
		*2 $15 cache-3.example $4 7380
	`)
	stranger := w.open()
	stranger.talk("> SENTINEL MYID\n-NOAUTH Authentication required.")
}

// A node without a file names the address at which the client has found it.
func TestSentinelOfANodeThatIsAlone(t *testing.T) {
	w := start(t, session.Config{})
	w.redis.config.Cluster = "default"
	w.user("alice").talk(`
		> SENTINEL GET-MASTER-ADDR-BY-NAME default
		*2 $9 192.0.2.9 $4 6379
		> SENTINEL REPLICAS default
		*0
		> WAIT 1 0
		:0
	`)
}

func TestSubscribersAreToldWhereToGo(t *testing.T) {
	w := around(t)
	p, q := w.user("alice"), w.user("alice")
	p.talk(`
		> SUBSCRIBE news
		~ -ERR unknown command
		> SUBSCRIBE +switch-master news
		~ -ERR unknown command
		> PSUBSCRIBE news*
		~ -ERR unknown command
		> SUBSCRIBE +switch-master +sdown
		*3 $9 subscribe $14 +switch-master :1 *3 $9 subscribe $6 +sdown :2
		> PSUBSCRIBE *
		*3 $10 psubscribe $1 * :3
		> GET k
		-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context
		> PING
		~ *2 $4 pong $0
		> PING hi
		*2 $4 pong $2 hi
		> UNSUBSCRIBE +sdown
		*3 $11 unsubscribe $6 +sdown :2
		> SUBSCRIBE +switch-master
		*3 $9 subscribe $14 +switch-master :2
	`)
	q.talk("> UNSUBSCRIBE\n*3 $11 unsubscribe $-1 :0")
	for _, s := range []*peer{p, q} {
		s.out = nil
		s.Leave()
	}
	message := "$39 prod 10.0.0.1 6379 cache-3.example 7379"
	if got, want := shown(string(p.out)), "*4 $8 pmessage $1 * $14 +switch-master "+message+" *3 $7 message $14 +switch-master "+message; got != want {
		t.Errorf("told\n%q, want\n%q", got, want)
	}
	if len(q.out) > 0 {
		t.Errorf("who has not subscribed is told %q", q.out)
	}
	p.talk(`
		> RESET
		+RESET
		> AUTH alice secret
		+OK
		> GET k
		$-1
		> HELLO 3
		~ %7
		> SUBSCRIBE +sdown
		>3 $9 subscribe $6 +sdown :1
		> GET k
		_
	`)
}

// Messages are no replies: whoever has turned these off gets them nevertheless.
func TestMessagesComeWhereRepliesAreOff(t *testing.T) {
	p := around(t).user("alice")
	p.out = nil
	for _, line := range []string{
		"CLIENT REPLY SKIP", "UNSUBSCRIBE", "PING", "CLIENT REPLY OFF", "SUBSCRIBE +switch-master", "PING", "UNSUBSCRIBE +sdown",
	} {
		p.serve(strings.Fields(line)...)
	}
	p.Leave()
	p.serve("PING")
	want := "*3 $11 unsubscribe $-1 :0 +PONG *3 $9 subscribe $14 +switch-master :1 *3 $11 unsubscribe $6 +sdown :1" +
		" *3 $7 message $14 +switch-master $39 prod 10.0.0.1 6379 cache-3.example 7379"
	if got := shown(string(p.out)); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestAConnectionHasAFewPatterns(t *testing.T) {
	p := around(t).user("alice")
	many := []string{"PSUBSCRIBE"}
	for i := range maxPatterns {
		many = append(many, fmt.Sprintf("+[s%d]*", i))
	}
	if got := p.do(many...); !strings.HasSuffix(got, fmt.Sprintf(":%d\r\n", maxPatterns)) {
		t.Errorf("%.100q", got)
	}
	p.talk("> PSUBSCRIBE *\n-" + string(errPatterns) + "\n> SUBSCRIBE +sdown\n~ *3")
	if n := len(p.subscriptions.patterns); n > maxPatterns {
		t.Errorf("%d patterns", n)
	}
}

func TestInfoIsAboutTheUser(t *testing.T) {
	w := around(t)
	p, q := w.user("alice"), w.user("bob")
	q.talk("> MSET a 1 b 2 c 3\n+OK")
	p.talk(`
		> SET k v
		+OK
		> SET l v EX 100
		+OK
		> GET k
		$1 v
		> GET none
		$-1
	`)
	got := p.do("INFO")
	for _, want := range []string{
		"# Server\r\nredis_version:7.2.0\r\nciderd_version:1.2.3\r\n", "redis_mode:standalone", "tcp_port:6379\r\n",
		"connected_clients:1\r\n", "maxmemory_policy:", "keyspace_hits:1\r\n", "keyspace_misses:1\r\n",
		"role:master\r\n", "master_repl_offset:77\r\n", "\r\n\r\n# Keyspace\r\ndb0:keys=2,expires=1,avg_ttl=0\r\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("INFO has no %q:\n%s", want, got)
		}
	}
	if got := p.do("INFO", "keyspace", "CLIENTS"); strings.Contains(got, "# Server") || !strings.Contains(got, "# Clients") || !strings.Contains(got, "# Keyspace") {
		t.Errorf("two sections: %q", got)
	}
	if got := p.do("INFO", "none"); got != "$0\r\n\r\n" {
		t.Errorf("an unknown section: %q", got)
	}
}

func TestConfigGet(t *testing.T) {
	p := around(t).user("alice")
	p.talk(`
		> CONFIG GET save
		~ *2 $4 save $0
		> CONFIG GET SAVE appendonly s*
		*4 $4 save $0  $10 appendonly $3 yes
		> CONFIG GET databases
		*2 $9 databases $1 1
		> CONFIG GET timeout
		*2 $7 timeout $3 300
		> CONFIG GET proto-max-bulk-len
		*2 $18 proto-max-bulk-len $6 524288
		> CONFIG GET maxmemory*
		*4 $9 maxmemory $1 0 $16 maxmemory-policy $11 allkeys-lfu
		> CONFIG GET requirepass
		*0
		> CONFIG SET save x
		~ -ERR
	`)
}

func TestMemoryUsage(t *testing.T) {
	p := around(t).user("alice")
	p.talk(`
		> SET k v
		+OK
		> MEMORY USAGE k
		:36
		> MEMORY USAGE none
		$-1
		> MEMORY USAGE k SAMPLES 5
		:36
		> MEMORY USAGE k SAMPLES x
		-ERR value is not an integer or out of range
		> MEMORY USAGE k SAMPLES -1
		-ERR syntax error
		> MEMORY USAGE k x
		-ERR syntax error
	`)
}

// iterate returns all that SCAN answers from one cursor to the next.
func (p *peer) iterate(count string, more ...string) (keys []string) {
	p.t.Helper()
	for cursor := "0"; ; {
		words := strings.Split(p.do(append([]string{"SCAN", cursor, "COUNT", count}, more...)...), "\r\n")
		if words[0] != "*2" {
			p.t.Fatalf("SCAN: %q", words)
		}
		for i := 5; i < len(words)-1; i += 2 {
			keys = append(keys, words[i])
		}
		if cursor = words[2]; cursor == "0" {
			return keys
		}
	}
}

func TestScanFindsEachKey(t *testing.T) {
	w := around(t)
	p, other := w.user("alice"), w.user("bob")
	other.talk("> SET mine v\n+OK")
	if got := p.iterate("10"); len(got) != 0 {
		t.Errorf("an empty cache has %q", got)
	}
	want := numbered("key", 3000)
	for _, key := range want {
		p.do("SET", key, "v")
	}
	slices.Sort(want)
	for _, count := range []string{"1", "10", "1000", "1000000"} {
		got := p.iterate(count)
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("COUNT %s: %d keys of %d", count, len(got), len(want))
		}
	}
	if got := p.iterate("100", "MATCH", "key29*9"); len(got) != 11 {
		t.Errorf("of a pattern: %q", got)
	}
	if got := p.iterate("100", "TYPE", "hash"); len(got) != 0 {
		t.Errorf("of another type: %q", got)
	}
	if got := p.iterate("1000", "TYPE", "STRING"); len(got) != len(want) {
		t.Errorf("of type string: %d", len(got))
	}
	p.talk(`
		> SCAN x
		-ERR invalid cursor
		> SCAN 0 COUNT 0
		-ERR syntax error
		> SCAN 9007199254740992
		*2 $1 0 *0
		> MULTI
		+OK
		> FLUSHALL
		+QUEUED
		> SET one v
		+QUEUED
		> SCAN 0
		+QUEUED
		> SET two v
		+QUEUED
		> EXEC
		*4 +OK +OK *2 $1 0 *1 $3 one +OK
		> SCAN 0 MATCH t*
		*2 $1 0 *1 $3 two
	`)
}
