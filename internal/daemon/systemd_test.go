package daemon

import (
	"net"
	"path/filepath"
	"testing"
	"time"
)

// What systemd does not read is not waited for, and not taken for said.
func TestNotifyFullSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	t.Setenv("NOTIFY_SOCKET", path)
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for i := range 10000 {
		began := time.Now()
		if err = notify("STATUS=x"); err != nil {
			if took := time.Since(began); took > 10*notifyLimit {
				t.Errorf("waited %v for a full socket", took)
			}
			break
		}
		if i == 9999 {
			t.Fatal("the socket does not fill")
		}
	}
	b := make([]byte, 100)
	n, err := l.Read(b)
	if err != nil || string(b[:n]) != "STATUS=x" {
		t.Errorf("%q, %v", b[:n], err)
	}
	if err := notify(ready); err != nil {
		t.Errorf("with room again: %v", err)
	}
}
