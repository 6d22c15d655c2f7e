package admin

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/admin/api"
	"ciderd/internal/membership"
)

// The log tells who has called what changes something, and what became of it; of what only looks it tells nothing. No
// line has a password in it, and none can be made up by a name.
func TestAudit(t *testing.T) {
	var out bytes.Buffer // read after Close
	f := &fakeNode{}
	path := filepath.Join(t.TempDir(), "admin.sock")
	s, err := Open(path, Config{Name: "n1", Members: f, Users: f, Limits: f, Mode: api.ModeOwn,
		Log: hclog.New(&hclog.LoggerOptions{Output: &out, DisableTime: true})})
	if err != nil {
		t.Fatal(err)
	}
	c := api.NewClient(path, "")
	if _, err := api.AddUser.Do(c, api.UserRequest{Name: "bob", Password: []byte("sesame")}); err != nil {
		t.Error(err)
	}
	if _, err := api.ShowLimits.Do(c, struct{}{}); err != nil {
		t.Error(err)
	}
	f.err = fmt.Errorf("%w: it would hurt", membership.ErrRefused)
	_, _ = change(c, "remove", "n2\n[INFO]  audit: uid=0")
	_, _ = change(c, "transfer", "")
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	uid := fmt.Sprint(os.Getuid())
	if runtime.GOOS != "linux" {
		uid = "unknown"
	}
	want := fmt.Sprintf(`[INFO]  audit: uid=%[1]s verb="user add" user=bob outcome=begins
[INFO]  audit: uid=%[1]s verb="user add" user=bob outcome=done
[INFO]  audit: uid=%[1]s verb="member remove" node="\"n2\n[INFO]  audit: uid=0\"" outcome=begins
[INFO]  audit: uid=%[1]s verb="member remove" node="\"n2\n[INFO]  audit: uid=0\"" outcome="refused: it would hurt"
[INFO]  audit: uid=%[1]s verb=transfer outcome=begins
[INFO]  audit: uid=%[1]s verb=transfer outcome="refused: it would hurt"
`, uid)
	if got := out.String(); got != want || strings.Contains(got, "sesame") {
		t.Errorf("%s\nwant:\n%s", got, want)
	}
}

func TestPrintable(t *testing.T) {
	long := printable(strings.Repeat("ä", auditWord))
	if len(long) > 8*auditWord || !strings.Contains(long, "\u00e4") && !strings.Contains(long, "ä") {
		t.Errorf("%d bytes: %s", len(long), long)
	}
	if got := printable("a b"); got != "a b" {
		t.Errorf("%q", got)
	}
}
