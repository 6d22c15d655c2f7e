//go:build e2e

package e2e

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"ciderd/test/harness"
)

// archived is what an archive has, by name.
func archived(t *testing.T, file string) map[string]string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%s is %v, %v", file, info.Mode(), err)
	}
	zip, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for r := tar.NewReader(zip); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[path.Base(h.Name)] = string(text)
	}
}

// TestDebug makes archives of a healthy cluster under load, of a node without a quorum, and of none; no key, no value, no
// password and no hash is in them.
func TestDebug(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3, Redis: true, Config: "# password = \"in-the-file-" + secretWord + "\"\n"})
	n := c.Nodes[0]
	secret := func(what string) string { return what + "-" + secretWord }
	if err := harness.SignupOn(n, "bob", secret("password")); err != nil {
		t.Fatal(err)
	}
	client, err := n.Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.Login("bob", secret("password")); err != nil {
		t.Fatal(err)
	}
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() { // the profile and the goroutines are of a node that works on them
		defer close(ended)
		for i := 0; !stopped(stop); i++ {
			if _, err := client.Do(fmt.Sprintf("SET %s%d %s", secret("key"), i%100, secret("value"))); err != nil && harness.Code(err) == "" {
				t.Errorf("writing: %v", err)
				return
			}
		}
	}()
	other, err := n.Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.Login("bob", secret("wrong")); err == nil {
		t.Fatal("a wrong password opens")
	}
	file := filepath.Join(c.Dir, "ticket.tar.gz")
	does(t, command(t, c, n, "", "debug", file), file+" has 13 files, ")
	close(stop)
	<-ended
	files := archived(t, file)
	for name, holds := range map[string]string{
		"status.json": `"Verdict": "`, "doctor.txt": "\n\n", "history.json": `"Steps": [`, "nodes.txt": "\nn3, release ",
		"config.txt": "limits.max_value_size", "config.hcl": `cluster "harness"`, "metrics.txt": "\nciderd_keys ", "log.txt": `"failed":"login"`,
		"machine.txt": "descriptors: ", "goroutines.txt": "goroutine profile: total", "heap.pprof": "", "cpu.pprof": "", "README.txt": "goroutines.txt",
	} {
		if text := files[name]; text == "" || !strings.Contains(text, holds) {
			t.Errorf("%s has no %q: %.500s", name, holds, text)
		}
	}
	for name, text := range files {
		if strings.Contains(text, secretWord) || strings.Contains(text, "$2a$") || strings.Contains(text, "$2b$") {
			t.Errorf("%s has a secret", name)
		}
	}
	if !strings.Contains(files["config.hcl"], "[blanked]") {
		t.Errorf("nothing is blanked in %s", files["config.hcl"])
	}
	fails(t, command(t, c, n, "", "debug", file), 1, "is there already")
	logHolds(t, n, `"verb":"debug"`)

	for _, gone := range c.Followers(n) {
		gone.Kill()
	}
	harness.Eventually(t, "no quorum", func() error {
		if s := command(t, c, n, "", "doctor"); s.code != 2 {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	file += ".2"
	does(t, command(t, c, n, "", "debug", file), "13 files")
	if text := archived(t, file)["doctor.txt"]; !strings.HasPrefix(text, "NO QUORUM ") {
		t.Errorf("it says %s", text)
	}
	n.Stop(harness.StopLimit)
	fails(t, command(t, c, n, "", "debug", file+".3"), 1, "no node is running")
	if left, err := filepath.Glob(filepath.Join(c.Dir, "*ticket.tar.gz.3*")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if left, err := filepath.Glob(filepath.Join(c.Dir, ".ticket*")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// secretWord is in whatever must not be in an archive.
const secretWord = "zebrafinch"
