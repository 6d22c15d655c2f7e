package config

import (
	"errors"
	"strings"
	"testing"
)

// one is a good cluster around which a line can be wrong.
const one = "cluster \"c\" {\n  node \"a\" { address = \"127.0.0.1\" }\n}\n"

func TestMessages(t *testing.T) {
	for _, tc := range []struct {
		what, file string
		want       string // without the source line
	}{
		{"unknown key", "data_dri = \"x\"", `f.hcl:1: unknown key "data_dri"; did you mean "data_dir"?`},
		{"start of a key", "limits {\n  max_value = \"5KiB\"\n}", `f.hcl:2: unknown key "max_value" in limits; did you mean "max_value_size"?`},
		{"nothing like it", "limits {\n  colour = \"red\"\n}", `f.hcl:2: unknown key "colour" in limits`},
		{"key of another block", "limits {\n  signup = \"open\"\n}", `f.hcl:2: unknown key "signup" in limits; it belongs in the auth block`},
		{"key of the top level", "limits {\n  data_dir = \"x\"\n}", `f.hcl:2: unknown key "data_dir" in limits; it belongs outside of all blocks`},
		{"block as key", "limits = 5", `f.hcl:1: unknown key "limits"; it is a block: write limits { … }`},
		{"key as block", "data_dir { }", `f.hcl:1: "data_dir" is a key, not a block: write data_dir = …`},
		{"unknown block", "limit { }", `f.hcl:1: unknown block "limit"; did you mean "limits"?`},
		{"block with a name", "limits \"x\" { }", `f.hcl:1: a limits block has no name: write limits { … }`},
		{"second key", "data_dir = \"x\"\n\ndata_dir = \"y\"", `f.hcl:3: a second data_dir; the first is in line 1`},
		{"second block", "limits { }\nlimits { }", `f.hcl:2: a second limits block; the first is in line 1`},

		{"bare size", "limits {\n  max_value_size = 524288\n}", `f.hcl:2: max_value_size: 524288 has no unit: write a size like "512KiB"`},
		{"odd bare size", "limits {\n  max_value_size = 5000\n}", `f.hcl:2: max_value_size: 5000 has no unit: write a size like "5000B"`},
		{"quoted bare size", "limits {\n  max_value_size = \"2048\"\n}", `f.hcl:2: max_value_size: 2048 has no unit: write a size like "2KiB"`},
		{"bare duration", "auth {\n  idle_timeout = 30\n}", `f.hcl:2: idle_timeout: 30 has no unit: write a duration like "30s"`},
		{"bare zero", "auth {\n  idle_timeout = 0\n}", `f.hcl:2: idle_timeout: 0 has no unit: write a duration like "0s"`},
		{"size unit", "limits {\n  max_value_size = \"512kb\"\n}", `f.hcl:2: max_value_size: "512kb" has an unknown unit: there are B KB KiB MB MiB GB GiB; did you mean "512KB"?`},
		{"duration unit", "timeouts {\n  write = \"5min\"\n}", `f.hcl:2: write: "5min" has an unknown unit: there are ms s m h d; did you mean "5m"?`},
		{"no duration", "timeouts {\n  write = \"soon\"\n}", `f.hcl:2: write: "soon" is not a duration, which is a number and a unit, like "30s"`},
		{"negative duration", "timeouts {\n  write = \"-5s\"\n}", `f.hcl:2: write: "-5s" is not a duration, which is a number and a unit, like "30s"`},
		{"size too large", "limits {\n  max_value_size = \"2MiB\"\n}", `f.hcl:2: max_value_size: "2MiB" is out of range: from 1KiB to 1MiB`},
		{"size too small", "limits {\n  max_value_size = \"1023B\"\n}", `f.hcl:2: max_value_size: "1023B" is out of range: from 1KiB to 1MiB`},
		{"size absurd", "limits {\n  max_value_size = \"99999999999999GiB\"\n}", `f.hcl:2: max_value_size: "99999999999999GiB" is far too large`},
		{"election as a word", "timeouts {\n  election = \"aut\"\n}", `f.hcl:2: election: "aut" is neither auto nor a duration, like "50ms"; did you mean "auto"?`},
		{"election range", "timeouts {\n  election = \"11s\"\n}", `f.hcl:2: election: "11s" is out of range: from 50ms to 10s, or auto`},
		{"duration range", "timeouts {\n  write = \"1ms\"\n}", `f.hcl:2: write: "1ms" is out of range: from 10ms to 365d`},
		{"number range", "auth {\n  bcrypt_cost = 31\n}", `f.hcl:2: bcrypt_cost: 31 is out of range: from 4 to 15`},
		{"empty", "", `f.hcl:1: the file is empty: without a file ciderd is a single node for trying out, with an empty one it is a mistake`},
		{"nothing but comments", "# later\n\n", "f.hcl:1: the file is empty: without a file ciderd is a single node for trying out, with an empty one it is a mistake"},
		{"zone", "cluster \"c\" {\n  node \"a\" { address = \"[fe80::1%eth0]:7000\" }\n}", "f.hcl:2: address: fe80::1%eth0 has the zone %eth0, which means an interface of one machine only: write an address that all nodes can dial"},
		{"negative number", "limits {\n  max_users = -1\n}", `f.hcl:2: max_users: -1 is out of range: from 0 to 1000000000`},
		{"huge number", "limits {\n  max_users = 99999999999999999999\n}", `f.hcl:2: max_users: 99999999999999999999 is out of range: from 0 to 1000000000`},
		{"fraction", "limits {\n  max_users = 1.5\n}", `f.hcl:2: max_users: 1.5 is not a whole number`},
		{"quoted number", "limits {\n  max_users = \"5\"\n}", `f.hcl:2: max_users: it is a number, without quotes`},
		{"choice", "log {\n  level = \"warning\"\n}", `f.hcl:2: level: "warning" is not one of debug, info, warn, error; did you mean "warn"?`},
		{"choice in capitals", "log {\n  format = \"JSON\"\n}", `f.hcl:2: format: "JSON" is not one of auto, text, json; did you mean "json"?`},
		{"word without quotes", "auth {\n  signup = open\n}", `f.hcl:2: signup: it needs quotes: "open"`},
		{"number for a text", "data_dir = 5", `f.hcl:1: data_dir: it is written in quotes`},
		{"null", "data_dir = null", `f.hcl:1: data_dir: null is no value: leave the key out for its default`},
		{"template", "data_dir = \"${home}/x\"", `f.hcl:1: data_dir: write the value out, without ${ } or %{ } in it`},
		{"calculation", "limits {\n  max_users = 2 * 3\n}", `f.hcl:2: max_users: write the value out: no lists, variables, functions or calculations`},
		{"empty path", "data_dir = \"\"", `f.hcl:1: data_dir: a directory is needed here`},
		{"memory as a word", "limits {\n  max_memory = \"autoo\"\n}", `f.hcl:2: max_memory: "autoo" is neither auto, none nor a size, like "16MiB"; did you mean "auto"?`},
		{"memory in capitals", "limits {\n  max_memory = \"None\"\n}", `f.hcl:2: max_memory: "None" is neither auto, none nor a size, like "16MiB"; did you mean "none"?`},
		{"memory without quotes", "limits {\n  max_memory = auto\n}", `f.hcl:2: max_memory: it needs quotes: "auto"`},
		{"memory of nothing", "limits {\n  max_memory = \"\"\n}", `f.hcl:2: max_memory: "" is neither auto, none nor a size, like "16MiB"`},
		{"negative memory", "limits {\n  max_memory = \"-1GiB\"\n}", `f.hcl:2: max_memory: "-1GiB" is neither auto, none nor a size, like "16MiB"`},
		{"too little memory", "limits {\n  max_memory = \"16777215B\"\n}", `f.hcl:2: max_memory: "16777215B" is out of range: from 16MiB to 65536GiB, or auto or none`},
		{"memory of zero", "limits {\n  max_memory = \"0B\"\n}", `f.hcl:2: max_memory: "0B" is out of range: from 16MiB to 65536GiB, or auto or none`},
		{"far too much memory", "limits {\n  max_memory = \"70000GiB\"\n}", `f.hcl:2: max_memory: "70000GiB" is out of range: from 16MiB to 65536GiB, or auto or none`},
		{"memory without a unit", "limits {\n  max_memory = 2147483648\n}", `f.hcl:2: max_memory: 2147483648 has no unit: write a size like "2GiB"`},
		{"memory in other units", "limits {\n  max_memory = \"2gb\"\n}", `f.hcl:2: max_memory: "2gb" has an unknown unit: there are B KB KiB MB MiB GB GiB; did you mean "2GB"?`},
		{"quota by itself", "limits {\n  quota = \"auto\"\n}", `f.hcl:2: quota: "auto" is neither none nor a size, like "64KiB"`},
		{"small quota", "limits {\n  quota = \"1KiB\"\n}", `f.hcl:2: quota: "1KiB" is out of range: from 64KiB to 65536GiB, or none`},
		{"when full", "limits {\n  when_full = \"evic\"\n}", `f.hcl:2: when_full: "evic" is not one of evict, reject; did you mean "evict"?`},
		{"size without quotes", "limits {\n  max_value_size = 512KiB # half\n}", `f.hcl:2: Missing newline after argument: An argument definition must end with a newline. Sizes and durations are written in quotes: "512KiB".`},

		{"port only", "listen {\n  text = \"8080\"\n}", `f.hcl:2: text: "8080" is not an address: did you mean ":8080"?`},
		{"host only", "listen {\n  text = \"localhost\"\n}", `f.hcl:2: text: "localhost" is not an address: write host:port, or :port for all interfaces`},
		{"bad port", "listen {\n  admin = \"localhost:http\"\n}", `f.hcl:2: admin: "localhost:http" has a bad port: a number from 0 to 65535`},
		{"bad host", "listen {\n  admin = \"a b:1\"\n}", `f.hcl:2: admin: "a b:1" has a bad host: an IP address or a host name`},
		{"own ports", "listen {\n  text = \":8081\"\n}", `f.hcl:2: port 8081 is listened on for both text and admin`},

		{"no nodes", "cluster \"c\" { }", `f.hcl:1: a cluster needs nodes: write node "NAME" { address = "HOST" } for each`},
		{"no cluster name", strings.Replace(one, ` "c"`, "", 1), `f.hcl:1: a cluster block has one name: write cluster "NAME" { … }`},
		{"bad cluster name", strings.Replace(one, `"c"`, `"c d"`, 1), `f.hcl:1: "c d" is not a cluster name: 1 to 64 of A-Z a-z 0-9 . _ -`},
		{"second cluster", one + one, `f.hcl:4: a second cluster block; the first is in line 1`},
		{"key of a node", "cluster \"c\" {\n  node \"a\" { adress = \"::1\" }\n}", `f.hcl:2: unknown key "adress" in node; did you mean "address"?`},
		{"block in a node", "cluster \"c\" {\n  node \"a\" {\n    address = \"::1\"\n    limits { }\n  }\n}", `f.hcl:4: unknown block "limits" in node: it has keys only`},
		{"no address", "cluster \"c\" {\n  node \"a\" { }\n}", `f.hcl:2: node "a" has no address: write address = "HOST", as other nodes reach it`},
		{"bad address", "cluster \"c\" {\n  node \"a\" { address = \"a:b:c\" }\n}", `f.hcl:2: address: "a:b:c" is not a node's address: write host or host:port, as other nodes reach it`},
		{"wildcard address", "cluster \"c\" {\n  node \"a\" { address = \"0.0.0.0\" }\n}", `f.hcl:2: address: 0.0.0.0 means all interfaces: write the address at which other nodes reach this one`},
		{"address with port 0", "cluster \"c\" {\n  node \"a\" { address = \"127.0.0.1:0\" }\n}", `f.hcl:2: address: "127.0.0.1:0" has a bad port: a number from 1 to 65535`},
		{"peer port 0", one + "listen {\n peer = \":0\"\n}", `f.hcl:2: node "a": port 0 is no port that other nodes could call`},
		{"one node's ports", "cluster \"c\" {\n  node \"a\" {\n    address = \"::1\"\n    text = \":7000\"\n  }\n}", `f.hcl:2: node "a" listens on port 7000 for both text and peer`},
	} {
		t.Run(tc.what, func(t *testing.T) {
			_, err := loadText(machineOf("a", nil), tc.file)
			if err == nil {
				t.Fatalf("no error, want %s", tc.want)
			}
			message, source, _ := strings.Cut(err.Error(), "\n    ")
			if message != tc.want {
				t.Errorf("got  %s\nwant %s", err, tc.want)
			}
			var list ErrorList
			if !errors.As(err, &list) || len(list) != 1 {
				t.Fatalf("not one problem: %v", err)
			}
			if line := strings.Split(tc.file, "\n")[list[0].Line-1]; source != line {
				t.Errorf("shows %q, the line is %q", source, line)
			}
		})
	}
}

// golden compares the whole text of an error.
func golden(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || err.Error() != strings.TrimPrefix(want, "\n") {
		t.Errorf("got:\n%v\nwant:%s", err, want)
	}
}

func TestAllErrorsAtOnce(t *testing.T) {
	_, err := loadText(machineOf("vm", nil, "CIDERD_LOG_LEVEL=loud", "CIDERD_MAX_VALUE_SIZE=hush", "CIDERD_TIMEOUTS_WRITE=5"), `cluster "prod" {
  insecure_peers = true
  node "a" { address = "10.0.0.1" }
  node "A" { address = "10.0.0.2" }
  node "c" { address = "10.0.0.2" }
  node "d" { adress  = "10.0.0.4" }
}
data_dir = "/a"
data_dir = "/b"
limits {
  max_value       = "5KiB"
  max_connections = "10"
}
auth { idle_timeout = 1800 }
loging { level = "info" }`)
	golden(t, err, `
f.hcl:1: which of the nodes is this one? none has the host name "vm" or an address of this machine. Say -node NAME or CIDERD_NODE=NAME: a (10.0.0.1), A (10.0.0.2), c (10.0.0.2), d
    cluster "prod" {
f.hcl:4: a second node "A"; the first is in line 3
      node "A" { address = "10.0.0.2" }
f.hcl:5: node "c" has the address 10.0.0.2:7000 of node "A" in line 4
      node "c" { address = "10.0.0.2" }
f.hcl:6: unknown key "adress" in node; did you mean "address"?
      node "d" { adress  = "10.0.0.4" }
f.hcl:9: a second data_dir; the first is in line 8
    data_dir = "/b"
f.hcl:11: unknown key "max_value" in limits; did you mean "max_value_size"?
      max_value       = "5KiB"
f.hcl:12: max_connections: it is a number, without quotes
      max_connections = "10"
f.hcl:14: idle_timeout: 1800 has no unit: write a duration like "30m"
    auth { idle_timeout = 1800 }
f.hcl:15: unknown block "loging"; did you mean "log"?
    loging { level = "info" }
CIDERD_LOG_LEVEL: "loud" is not one of debug, info, warn, error
    CIDERD_LOG_LEVEL=loud
CIDERD_MAX_VALUE_SIZE: there is no such variable; did you mean "CIDERD_LIMITS_MAX_VALUE_SIZE"?
CIDERD_TIMEOUTS_WRITE: 5 has no unit: write a duration like "5s"
    CIDERD_TIMEOUTS_WRITE=5`)
}

// What a syntax error makes of the lines around it is not reported as further mistakes; what is wrong in them is.
func TestErrorsBehindBadSyntax(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"quote": {`limits {
  max_connections = "10
}
cluster "prod" {
  node "a" { address = "10.0.0.1" }
}`, `
f.hcl:2: a quote is opened in this line and not closed
      max_connections = "10`},
		"cluster": {`cluster "prod" {
  insecure_peers = true
  node "vm" { address = "10.0.0.1" }
  node "b" { address = "10.0.0.1" }
limits {
  max_value = "5KiB"
}`, `
f.hcl:1: Unclosed configuration block: There is no closing brace for this block before the end of the file. This may be caused by incorrect brace nesting elsewhere in this file.
    cluster "prod" {
f.hcl:4: node "b" has the address 10.0.0.1:7000 of node "vm" in line 3
      node "b" { address = "10.0.0.1" }
f.hcl:6: unknown key "max_value" in limits; did you mean "max_value_size"?
      max_value = "5KiB"`},
		"node": {`cluster "prod" {
  insecure_peers = true
  node "vm" {
    address = "10.0.0.1"
  node "b" { adress = "10.0.0.2" }
}`, `
f.hcl:1: Unclosed configuration block: There is no closing brace for this block before the end of the file. This may be caused by incorrect brace nesting elsewhere in this file.
    cluster "prod" {
f.hcl:5: unknown key "adress" in node; did you mean "address"?
      node "b" { adress = "10.0.0.2" }`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := loadText(machineOf("vm", nil), c.text)
			golden(t, err, c.want)
		})
	}
}

func TestNodesOfOneMachine(t *testing.T) {
	_, err := loadText(machineOf("a", nil), `cluster "c" {
  node "a" {
    address = "127.0.0.1:7000"
  }
  node "b" {
    address = "localhost:7100"
    admin   = "127.0.0.1:7000"
  }
}`)
	golden(t, err, `
f.hcl:5: node "b" has the text address :8080, which collides with text of node "a" in line 2, on the same machine; give each its own
      node "b" {
f.hcl:5: node "b" has the data_dir /var/lib/ciderd of node "a" in line 2, on the same machine; give each its own
      node "b" {
f.hcl:7: node "b" has the admin address 127.0.0.1:7000, which collides with peer of node "a" in line 2, on the same machine; give each its own
        admin   = "127.0.0.1:7000"`)
}

func TestPeersMustBePrivate(t *testing.T) {
	const refused = `traffic between nodes is neither encrypted nor authenticated: whoever reaches the peer port controls the cluster. Give the nodes certificates (ciderd tls init), or keep that port inside a private network and say so with insecure_peers = true in the cluster block`
	const outside = "cluster \"c\" {\n  node \"a\" { address = \"10.0.0.1\" }\n  node \"b\" { address = \"10.0.0.2\" }\n}"
	_, err := loadText(machineOf("a", nil), outside)
	golden(t, err, `f.hcl:2: node "a" is at 10.0.0.1:7000, and `+refused+"\n      node \"a\" { address = \"10.0.0.1\" }")

	_, err = loadText(machineOf("a", nil), "cluster \"c\" {\n  node \"a\" {\n    address = \"127.0.0.1\"\n    peer = \"10.0.0.1:7000\"\n  }\n}")
	golden(t, err, `f.hcl:4: node "a" listens for peers on 10.0.0.1:7000, and `+refused+"\n        peer = \"10.0.0.1:7000\"")

	_, err = loadText(machineOf("a", nil, "CIDERD_LISTEN_PEER=10.0.0.1:7000"), one)
	golden(t, err, `CIDERD_LISTEN_PEER: 10.0.0.1:7000 is outside of this machine, and `+refused+"\n    CIDERD_LISTEN_PEER=10.0.0.1:7000")

	mustLoad(t, machineOf("a", nil, "CIDERD_CLUSTER_INSECURE_PEERS=true"), outside)
	mustLoad(t, machineOf("a", nil, "CIDERD_LISTEN_PEER=:7001"), one)
}

func TestWrongNodeName(t *testing.T) {
	o := machineOf("a", nil)
	o.Node = "cider-9"
	_, err := loadText(o, `cluster "c" { 
  node "cider-1" { address = "::1" }
}`)
	golden(t, err, `-node: there is no node "cider-9" in f.hcl; did you mean "cider-1"? The nodes are cider-1 (::1)`)
	o = machineOf("a", nil, "CIDERD_NODE=nobody")
	_, err = loadText(o, one)
	golden(t, err, `
CIDERD_NODE: there is no node "nobody" in f.hcl. The nodes are a (127.0.0.1)
    CIDERD_NODE=nobody`)
	o.Node = "no good"
	_, err = loadText(o, "log {}")
	golden(t, err, `-node: "no good" is not a node name: 1 to 64 of A-Z a-z 0-9 . _ -`)
}

func TestPortsOfVariables(t *testing.T) {
	_, err := loadText(machineOf("a", nil, "CIDERD_LISTEN_ADMIN=127.0.0.1:8080"), one)
	golden(t, err, `
CIDERD_LISTEN_ADMIN: port 8080 is listened on for both text and admin
    CIDERD_LISTEN_ADMIN=127.0.0.1:8080`)
}

func TestValuesOfUnknownVariablesAreNotShown(t *testing.T) {
	_, err := Load(machineOf("a", nil, "CIDERD_ADMIN_TOKEN=hush"))
	if err == nil || strings.Contains(err.Error(), "hush") || !strings.HasPrefix(err.Error(), "CIDERD_ADMIN_TOKEN: ") {
		t.Error(err)
	}
}
