package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"ciderd/internal/report"
)

const hash = "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"

func source(t *testing.T) *Source {
	t.Helper()
	file := filepath.Join(t.TempDir(), "cluster.hcl")
	if err := os.WriteFile(file, []byte("# password = \"hunter2\"\nauth { hide_password = \"telnet\" }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	own := &report.Own{Node: "n1", Version: "1", Settings: map[string]string{"limits.quota": "none"}}
	return &Source{
		Node: "n1", Version: "1", File: file, Profile: 50 * time.Millisecond, Config: func() string { return "all settings\n" },
		Full: func(context.Context) report.Full {
			return report.Full{Overview: report.Overview{
				Verdict: report.Healthy, Sentence: "all is well",
				Nodes: []report.NodeView{{Name: "n1", Own: own}, {Name: "n2", Reason: "connection refused"}},
			}}
		},
		Past: func() report.Past { return report.Past{Node: "n1"} },
		Metrics: func() http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ciderd_ready 1") })
		},
		Log:  func() []byte { return []byte("[INFO] hash=" + hash + "\n") },
		Root: fstest.MapFS{"proc/version": {Data: []byte("Linux 6\n")}},
	}
}

// unpack returns the files of an archive, which must be whole.
func unpack(t *testing.T, archive []byte) map[string]string {
	t.Helper()
	zip, err := gzip.NewReader(bytes.NewReader(archive))
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
		if err != nil || h.Mode != 0o600 {
			t.Fatalf("%s: mode %o, %v", h.Name, h.Mode, err)
		}
		files[path.Base(h.Name)] = string(text)
	}
}

func TestArchive(t *testing.T) {
	s := source(t)
	var b bytes.Buffer
	if err := s.Write(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	files := unpack(t, b.Bytes())
	for name, holds := range map[string]string{
		"README.txt": "goroutines.txt", "status.json": `"Verdict": "HEALTHY"`, "doctor.txt": "nothing found", "history.json": `"Node": "n1"`,
		"nodes.txt": "n2 does not say: connection refused", "config.txt": "all settings", "config.hcl": "hide_password = \"telnet\"",
		"metrics.txt": "ciderd_ready 1", "log.txt": "[INFO] hash=" + blanked, "machine.txt": "Linux 6", "goroutines.txt": "goroutine profile",
		"heap.pprof": "", "cpu.pprof": "",
	} {
		text, there := files[name]
		if !there || text == "" || !strings.Contains(text, holds) {
			t.Errorf("%s (%v) has no %q: %.300s", name, there, holds, text)
		}
		delete(files, name)
	}
	if len(files) > 0 {
		t.Errorf("there are also %v", files)
	}
	if bytes.Contains(b.Bytes(), []byte("hunter2")) {
		t.Error("a password is in it")
	}
}

// A part that cannot be made is told, and the others are there; nothing is made for somebody who has gone.
func TestParts(t *testing.T) {
	s := source(t)
	s.File = "/nowhere/cluster.hcl"
	s.Metrics = http.NotFoundHandler
	var b bytes.Buffer
	if err := s.Write(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	files := unpack(t, b.Bytes())
	if !strings.Contains(files["config.hcl.error"], "no such file") || !strings.Contains(files["metrics.txt.error"], "404") || files["log.txt"] == "" {
		t.Errorf("%q, %q, %q", files["config.hcl.error"], files["metrics.txt.error"], files["log.txt"])
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Write(gone, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("for nobody: %v", err)
	}
}

func TestBlank(t *testing.T) {
	for text, want := range map[string]string{
		"password = \"a \\\" b\" next":                                    "password = [blanked] next",
		`{"Password":"x","Other":1}`:                                      `{"Password":[blanked],"Other":1}`,
		"token: abc, user=alice":                                          "token: [blanked], user=alice",
		"auth.hide_password  telnet  (default)":                           "auth.hide_password  telnet  (default)",
		"redis://bob:pw@host:6379/0":                                      "redis://bob:[blanked]@host:6379/0",
		"http://127.0.0.1:8081/status":                                    "http://127.0.0.1:8081/status",
		"x " + hash + " y":                                                "x [blanked] y",
		"-----BEGIN EC PRIVATE KEY-----\nabc\n":                           "[blanked]",
		"a\n-----BEGIN PRIVATE KEY-----\nq\n-----END PRIVATE KEY-----\nb": "a\n[blanked]\nb",
	} {
		if got := string(blank([]byte(text))); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}
