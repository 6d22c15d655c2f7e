package daemon_test

import (
	"errors"
	"os"
	"strings"
	"sync"
	"testing"

	"ciderd/internal/admin/api"
)

// What is wrong is told in full, and then nothing is taken over; what needs a restart is told each time.
func TestReload(t *testing.T) {
	n := open(t, t.TempDir(), "")
	defer n.stop()
	socket := api.NewClient(n.socket(), "")
	good, err := os.ReadFile(n.path)
	if err != nil {
		t.Fatal(err)
	}
	write := func(more string) {
		t.Helper()
		if err := os.WriteFile(n.path, append(good[:len(good):len(good)], more...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("auth { signup = \"closed\" }\nlimits {\n max_value_size = \"7\"\n max_userz = 3\n}\n")
	_, err = api.Reload.Do(socket, struct{}{})
	if !errors.Is(err, api.ErrConfig) || !strings.Contains(err.Error(), "max_value_size") || !strings.Contains(err.Error(), "max_userz") {
		t.Errorf("two mistakes: %v", err)
	}
	n.talk("SIGNUP alice pa55word", "User created")
	write("auth { signup = \"closed\" }\ntls {\n cert_file = \"/nowhere.pem\"\n key_file = \"/nowhere.key\"\n}\n")
	if _, err = api.Reload.Do(socket, struct{}{}); !errors.Is(err, api.ErrConfig) || !strings.Contains(err.Error(), "/nowhere.pem") {
		t.Errorf("no certificate: %v", err)
	}
	write("cluster \"other\" {\n node \"a\" { address = \"127.0.0.1\" }\n}\n")
	if _, err = api.Reload.Do(socket, struct{}{}); !errors.Is(err, api.ErrConfig) {
		t.Errorf("another cluster: %v", err)
	}
	n.talk("SIGNUP bob pa55word", "User created")
	text := strings.Replace(string(good), "{ level = \"error\" }", "{\n level = \"error\"\n format = \"json\"\n}", 1)
	if err := os.WriteFile(n.path, []byte(text+"auth { signup = \"closed\" }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i, changed := range []int{1, 0} {
		a, err := api.Reload.Do(socket, struct{}{})
		if err != nil || len(a.Changed) != changed || len(a.NeedsRestart) != 1 || a.NeedsRestart[0].Key != "log.format" || a.NeedsRestart[0].New != "json" {
			t.Errorf("time %d: %+v, %v", i, a, err)
		}
	}
	n.talk("SIGNUP carol pa55word", "ERR SIGNUP_CLOSED")
}

// Reloads from all sides come one after the other, also while the node stops.
func TestReloadsAtOnce(t *testing.T) {
	n := open(t, t.TempDir(), "")
	socket := api.NewClient(n.socket(), "")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 5 {
				if _, err := n.Reload(); err != nil {
					t.Error(err)
				}
				_, _ = api.Reload.Do(socket, struct{}{}) // the socket may be gone
			}
		})
	}
	if limit := n.CloseLimit(); limit <= 0 {
		t.Errorf("closing takes %v", limit)
	}
	n.stop()
	wg.Wait()
}
