//go:build e2e

package e2e

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ciderd/test/harness"
)

const firstAddr = "localhost:8080"

// TestFirstRun is what somebody does who has just downloaded ciderd: start it in
// an empty directory, type the session of interface 1.1, stop it, start it.
func TestFirstRun(t *testing.T) {
	harness.ClaimPort(t, 8080)
	dir, err := os.MkdirTemp("", "ciderd-first-")
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(dir, "ciderd.log")
	t.Cleanup(func() { harness.KeepOnFailure(t, dir, log) })

	p := startFirst(t, dir, log)
	c, err := harness.Dial(firstAddr)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Signup("alice", "first-secret"); err != nil {
		t.Errorf("SIGNUP: %v", err)
	}
	mustDo(t, c, "SET foo bar", "OK")
	helpful(t, log)
	stopFirst(t, p)

	p = startFirst(t, dir, log)
	c, err = harness.Dial(firstAddr)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Login("alice", "first-secret"); err != nil {
		t.Errorf("LOGIN after a restart: %v", err)
	}
	mustDo(t, c, "GET foo", "bar")
	stopFirst(t, p)
	if _, err := os.Stat(filepath.Join(dir, "ciderd-data")); err != nil {
		t.Errorf("no ./ciderd-data: %v", err)
	}
	if err := harness.CheckLog(log, "first-secret"); err != nil {
		t.Error(err)
	}
}

// startFirst starts ciderd without any config. The port is the one of the
// manual, so a stranger may hold it for a moment: then it is started again.
func startFirst(t *testing.T, dir, log string) *harness.Process {
	t.Helper()
	var p *harness.Process
	start := func() (err error) {
		p, err = harness.StartProcess(harness.Binary(t), dir, log, nil)
		return err
	}
	if err := start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
	})
	harness.Eventually(t, "it serves", func() error {
		if err := judgesPasswordsAt(firstAddr); err != nil && !ends(p) {
			return err
		}
		if ends(p) { // whoever answered, it was somebody else
			return errors.Join(errors.New("it has ended"), start())
		}
		return nil
	})
	return p
}

func ends(p *harness.Process) bool {
	select {
	case <-p.Done():
		return true
	default:
		return false
	}
}

func stopFirst(t *testing.T, p *harness.Process) {
	t.Helper()
	if err := p.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if code, err := p.ExitCode(harness.StopLimit); err != nil || code != 0 {
		t.Errorf("after SIGINT: exit code %d, %v; want 0", code, err)
	}
}

// helpful wants a few lines that say where to connect and where the data is.
func helpful(t *testing.T, path string) {
	t.Helper()
	log, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"8080", "ciderd-data"} {
		if !bytes.Contains(log, []byte(word)) {
			t.Errorf("the log of the first run does not say %q", word)
		}
	}
	if lines := bytes.Count(log, []byte("\n")); lines > 20 {
		t.Errorf("the first run says %d lines, want a few", lines)
	}
}

const goodConfig = `cluster "test" {
  node "n1" { address = "10.0.0.11" }
  node "n2" { address = "10.0.0.12" }
  node "n3" { address = "10.0.0.13" }
  insecure_peers = true // they talk without TLS for now, so this has to be said
}
data_dir = "/nonexistent/ciderd"
`

// TestExitCodes runs ciderd with what must not work.
func TestExitCodes(t *testing.T) {
	for _, tc := range []struct {
		name   string
		config string // written to F, where args hold it
		args   []string
		code   int
		says   []string // in small letters, anywhere in the output
	}{
		{"unknown flag", "", []string{"-nosuchflag"}, 64, []string{"nosuchflag"}},
		{"flag without a value", "", []string{"-config"}, 64, []string{"config"}},
		{"validate, unknown flag", "", []string{"validate", "-nosuchflag"}, 64, []string{"nosuchflag"}},
		{"good", goodConfig, []string{"validate", "-config", "F", "-node", "n1"}, 0, []string{"n1"}},
		{"unknown node", goodConfig, []string{"validate", "-config", "F", "-node", "n9"}, 78, []string{"n9", "n1", "n2", "n3"}},
		{"unknown key", goodConfig + "limits {\n  max_value_sise = \"512KiB\"\n}\n", []string{"validate", "-config", "F", "-node", "n1"}, 78,
			[]string{"cluster.hcl:9", "did you mean", "max_value_size"}},
		{"unknown key, run", goodConfig + "data_dirr = \"x\"\n", []string{"-config", "F", "-node", "n1"}, 78,
			[]string{"cluster.hcl:8", "did you mean", "data_dir"}},
		{"bad unit", goodConfig + "timeouts {\n  write = \"5 parsecs\"\n}\n", []string{"-config", "F", "-node", "n1"}, 78, []string{"cluster.hcl:9"}},
		{"bare number for a duration", goodConfig + "timeouts {\n  write = 5\n}\n", []string{"-config", "F", "-node", "n1"}, 78, []string{"cluster.hcl:9"}},
		{"bare number for a size", goodConfig + "limits {\n  max_value_size = 1000\n}\n", []string{"-config", "F", "-node", "n1"}, 78, []string{"cluster.hcl:9"}},
		{"too large", goodConfig + "limits {\n  max_value_size = \"2MiB\"\n}\n", []string{"-config", "F", "-node", "n1"}, 78, []string{"cluster.hcl:9"}},
		{"duplicate address", strings.Replace(goodConfig, "10.0.0.12", "10.0.0.11", 1), []string{"-config", "F", "-node", "n1"}, 78, []string{"cluster.hcl:3", "10.0.0.11"}},
		{"not HCL", "cluster {{{\n", []string{"validate", "-config", "F", "-node", "n1"}, 78, []string{"cluster.hcl:1"}},
		{"all at once", goodConfig + "limits {\n  max_conections = 5\n}\nlogg {\n}\n", []string{"validate", "-config", "F", "-node", "n1"}, 78,
			[]string{"cluster.hcl:9", "max_connections", "cluster.hcl:11", "log"}},
		{"no such file", "", []string{"validate", "-config", "/nonexistent/cluster.hcl"}, 78, []string{"/nonexistent/cluster.hcl"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, out := runCiderd(t, tc.config, tc.args)
			if code != tc.code {
				t.Errorf("exit code %d, want %d", code, tc.code)
			}
			for _, word := range tc.says {
				if !strings.Contains(strings.ToLower(out), word) {
					t.Errorf("does not say %q", word)
				}
			}
			if t.Failed() {
				t.Logf("ciderd %s said:\n%s", strings.Join(tc.args, " "), out)
			}
		})
	}
}

// runCiderd runs the binary to its end and gives the exit code and all output.
func runCiderd(t *testing.T, config string, args []string) (int, string) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "cluster.hcl")
	if err := os.WriteFile(file, []byte(config), 0o666); err != nil {
		t.Fatal(err)
	}
	real := make([]string, len(args))
	for i, arg := range args {
		if real[i] = arg; arg == "F" {
			real[i] = file
		}
	}
	log := filepath.Join(dir, "out")
	p, err := harness.StartProcess(harness.Binary(t), dir, log, nil, real...)
	if err != nil {
		t.Fatal(err)
	}
	code, err := p.ExitCode(harness.Limit)
	if err != nil {
		t.Error(err)
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
	}
	out, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	return code, string(out)
}

// TestDamagedExitCode: a node whose data directory is damaged says so, and that a person has to look.
func TestDamagedExitCode(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{})
	n := c.Nodes[0]
	n.Stop(harness.StopLimit)
	f, err := os.OpenFile(filepath.Join(n.DataDir, "raft.db"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt(make([]byte, 200), 0)
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	n.Start()
	if code := n.WaitEnd(harness.Limit); code != 65 {
		t.Errorf("exit code %d, want 65", code)
	}
	logHolds(t, n, "damaged")
}

// TestHelpFlag: -h is no error to a person, and is 0 or 64 to a script.
func TestHelpFlag(t *testing.T) {
	cmd := exec.Command(harness.Binary(t), "-h")
	cmd.Env = harness.CleanEnv()
	out, err := cmd.CombinedOutput()
	if code := exitCode(err); code != 0 && code != 64 {
		t.Errorf("exit code %d, want 0 or 64", code)
	}
	if !bytes.Contains(out, []byte("config")) {
		t.Errorf("-h does not name -config:\n%s", out)
	}
}
