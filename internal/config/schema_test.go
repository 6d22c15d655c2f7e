package config

import (
	"strings"
	"testing"
)

// other is a value for each setting that is not its default.
var other = map[string]string{
	"cluster.insecure_peers":             "true",
	"data_dir":                           "elsewhere",
	"listen.text":                        "127.0.0.1:9080",
	"listen.peer":                        "127.0.0.1:9000",
	"listen.admin":                       "127.0.0.1:9081",
	"listen.newline":                     "crlf",
	"limits.max_value_size":              "64KiB",
	"limits.max_connections":             "7",
	"limits.max_connections_per_address": "3",
	"limits.max_users":                   "9",
	"limits.max_output":                  "8MiB",
	"limits.stall":                       "7s",
	"auth.signup":                        "closed",
	"auth.idle_timeout":                  "0s",
	"auth.login_timeout":                 "1500ms",
	"auth.hide_password":                 "telnet",
	"auth.bcrypt_cost":                   "4",
	"timeouts.write":                     "250ms",
	"timeouts.shutdown":                  "2m",
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

			base := mustLoad(t, machineOf("a", nil), one)
			inFile := mustLoad(t, machineOf("a", nil), inBlock(s, value))
			inEnv := mustLoad(t, machineOf("a", nil, s.environ()+"="+value), one)
			for what, c := range map[string]*Config{"file": inFile, "variable": inEnv} {
				if got := s.get(c); got != value {
					t.Errorf("%s: %q, want %q", what, got, value)
				}
				changed, restart := Diff(base, c)
				if s.key == "listen.text" || s.key == "listen.peer" { // also seen by others, unless a variable said it
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
			if line := described(base, s.key); !strings.Contains(line, s.get(base)) || !strings.Contains(line, "(default)") && s.key != "listen.peer" {
				t.Errorf("Describe says %q", line)
			}
		})
	}
}

// inBlock is a file in which s has the value.
func inBlock(s setting, value string) string {
	if s.literal == quoted || s.literal == measured {
		value = `"` + value + `"`
	}
	line := s.name() + " = " + value + "\n"
	switch s.section() {
	case "":
		return one + line
	case clusterSection:
		return strings.Replace(one, "{\n", "{\n"+line, 1)
	}
	return one + s.section() + " {\n" + line + "}\n"
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
		{one, "node a of cluster c\n\n  node  peers call      clients call\n* a     127.0.0.1:7000  127.0.0.1:8080\n\n  cluster.insecure_peers  "},
	} {
		if got := mustLoad(t, machineOf("a", nil), tc.file).Describe(); !strings.HasPrefix(got, tc.want) {
			t.Errorf("got:\n%s\nwant it to start with:\n%s", got, tc.want)
		}
	}
	if got := mustLoad(t, machineOf("a", nil), "log {}").Describe(); !strings.Contains(got, "nowhere") {
		t.Errorf("a single node listens for peers:\n%s", got)
	}
}
