package config

import (
	"regexp"
	"strings"
	"testing"
)

// other is a value for each setting that is not its default.
var other = map[string]string{
	"cluster.peer_tls":                   "prefer",
	"cluster.insecure_peers":             "true",
	"data_dir":                           "elsewhere",
	"listen.text":                        "127.0.0.1:9080",
	"listen.text_tls":                    "127.0.0.1:9443",
	"listen.redis":                       "127.0.0.1:9379",
	"listen.redis_tls":                   "127.0.0.1:9380",
	"listen.proxy_from":                  "10.0.0.5/32,10.1.0.0/16",
	"listen.peer":                        "127.0.0.1:9000",
	"listen.admin":                       "127.0.0.1:9081",
	"listen.admin_tls":                   "true",
	"listen.admin_hosts":                 "status.example,ops",
	"listen.newline":                     "crlf",
	"tls.ca_file":                        "other-ca.pem",
	"tls.cert_file":                      "other.pem",
	"tls.key_file":                       "other-key.pem",
	"tls.client_cert_file":               "other-client.pem",
	"tls.client_key_file":                "other-client-key.pem",
	"tls.client_ca_file":                 "other-client-ca.pem",
	"limits.max_value_size":              "64KiB",
	"limits.max_connections":             "7",
	"limits.max_connections_per_address": "3",
	"limits.max_connections_per_user":    "4",
	"limits.max_users":                   "9",
	"limits.max_memory":                  "2GiB",
	"limits.when_full":                   "reject",
	"limits.quota":                       "64KiB",
	"limits.max_output":                  "8MiB",
	"limits.stall":                       "7s",
	"auth.signup":                        "closed",
	"auth.idle_timeout":                  "0s",
	"auth.login_timeout":                 "1500ms",
	"auth.hide_password":                 "telnet",
	"auth.bcrypt_cost":                   "4",
	"timeouts.write":                     "250ms",
	"timeouts.shutdown":                  "2m",
	"timeouts.election":                  "1s",
	"log.level":                          "debug",
	"log.format":                         "json",
}

// For every setting: it can be said in the file and by its variable, with the same effect; Describe
// shows it and where it came from; Diff finds it; and it may change while running if and only if it
// is in Runtime.
func TestEverySetting(t *testing.T) {
	names := map[string]bool{}
	for _, s := range settings {
		t.Run(s.key, func(t *testing.T) {
			value, ok := other[s.key]
			if !ok {
				t.Fatal("the test has no other value for it")
			}
			if names[s.environ()] {
				t.Fatalf("%s is there twice", s.environ())
			}
			names[s.environ()] = true

			file := fileFor(&s)
			base := mustLoad(t, machineOf("a", nil), file)
			inFile := mustLoad(t, machineOf("a", nil), inBlock(file, s, value))
			inEnv := mustLoad(t, machineOf("a", nil, s.environ()+"="+value), file)
			for what, c := range map[string]*Config{"file": inFile, "variable": inEnv} {
				if got := s.get(c); got != value {
					t.Errorf("%s: %q, want %q", what, got, value)
				}
				changed, restart := Diff(base, c)
				if strings.HasPrefix(s.key, "listen.") { // also seen by others, unless a variable said it
					restart = withoutNode(restart)
				}
				if got := strings.Join(append(changed, restart...), " "); got != s.key || (len(changed) == 1) != s.live {
					t.Errorf("%s: Diff finds %q live, %q not", what, changed, restart)
				}
				if (c.Runtime != base.Runtime) != s.live {
					t.Errorf("%s: live is %v, but Runtime says otherwise", what, s.live)
				}
			}
			if line := described(inFile, s.key); !strings.Contains(line, value) || !strings.Contains(line, "(f.hcl:") {
				t.Errorf("Describe says %q", line)
			}
			if line := described(inEnv, s.key); !strings.Contains(line, value) || !strings.Contains(line, "("+s.environ()+")") {
				t.Errorf("Describe says %q", line)
			}
			if line := described(base, s.key); !strings.Contains(line, s.get(base)) || !strings.Contains(line, "(default)") && s.key != "listen.peer" && s.section() != "tls" {
				t.Errorf("Describe says %q", line)
			}
		})
	}
}

// withTLS has every key about certificates, as each needs others.
const withTLS = one + `
tls {
  ca_file = "ca.pem"
  cert_file = "a.pem"
  key_file = "a-key.pem"
  client_cert_file = "client.pem"
  client_key_file = "client-key.pem"
  client_ca_file = "client-ca.pem"
}
`

// fileFor is a file that has what s needs.
func fileFor(s *setting) string {
	if s.section() == "tls" || s.key == "listen.text_tls" || s.key == "listen.redis_tls" || s.key == "listen.admin_tls" || s.key == "cluster.peer_tls" {
		return withTLS
	}
	return one
}

// inBlock is the file with the value for s.
func inBlock(file string, s setting, value string) string {
	switch s.literal {
	case quoted, measured:
		value = `"` + value + `"`
	case list:
		value = `["` + strings.ReplaceAll(value, ",", `", "`) + `"]`
	}
	line := s.name() + " = " + value + "\n"
	switch s.section() {
	case "":
		return file + line
	case clusterSection:
		return strings.Replace(file, "{\n", "{\n"+line, 1)
	case "tls":
		return regexp.MustCompile(`(?m)^  `+s.name()+" = .*\n").ReplaceAllString(file, line)
	}
	return file + s.section() + " {\n" + line + "}\n"
}

func withoutNode(keys []string) (rest []string) {
	for _, k := range keys {
		if k != "cluster.node.a" {
			rest = append(rest, k)
		}
	}
	return rest
}

func described(c *Config, key string) string {
	for line := range strings.Lines(c.Describe()) {
		if strings.HasPrefix(line, "  "+key+" ") {
			return line
		}
	}
	return ""
}

func TestDiffOfTheCluster(t *testing.T) {
	o := machineOf("a", nil)
	old := mustLoad(t, o, one)
	if changed, restart := Diff(old, mustLoad(t, o, "# moved\n"+one)); changed != nil || restart != nil {
		t.Errorf("nothing changed: %v, %v", changed, restart)
	}
	o.Node = "b"
	changed, restart := Diff(old, mustLoad(t, o, `cluster "d" {
  node "b" { address = "127.0.0.1" }
}`))
	if got := strings.Join(restart, " "); changed != nil || got != "cluster node cluster.node.a cluster.node.b" {
		t.Errorf("%v, %v", changed, restart)
	}
	single := mustLoad(t, machineOf("a", nil), "log {}")
	if _, restart := Diff(old, single); restart[0] != "cluster" {
		t.Errorf("from a cluster to a single node: %v", restart)
	}
}

func TestDescribe(t *testing.T) {
	for _, tc := range []struct{ file, want string }{
		{"log {}", "node ciderd, by itself: there is no cluster block\n\n  data_dir  "},
		{one, "node a of cluster c\n\n  node  peers call      clients call\n* a     127.0.0.1:7000  127.0.0.1:8080\n\n  cluster.peer_tls  "},
	} {
		if got := mustLoad(t, machineOf("a", nil), tc.file).Describe(); !strings.HasPrefix(got, tc.want) {
			t.Errorf("got:\n%s\nwant it to start with:\n%s", got, tc.want)
		}
	}
	if got := mustLoad(t, machineOf("a", nil), "log {}").Describe(); !strings.Contains(got, "nowhere") {
		t.Errorf("a single node listens for peers:\n%s", got)
	}
}
