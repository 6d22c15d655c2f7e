package daemon

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// listenAsSystemd has what this process tells systemd come to a socket.
func listenAsSystemd(t *testing.T) *net.UnixConn {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	t.Setenv("NOTIFY_SOCKET", path)
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// What systemd does not read is not waited for, and not taken for said.
func TestNotifyFullSocket(t *testing.T) {
	l := listenAsSystemd(t)
	for i := range 10000 {
		if err := notify("STATUS=x"); err != nil { // without a limit it would wait for ever
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

// systemd hears a beat in each quarter of its time, and only the process that it means sends them.
func TestPulse(t *testing.T) {
	l := listenAsSystemd(t)
	for _, c := range []struct {
		usec, pid string
		beats     int
	}{
		{"", "", 0}, {"0", "", 0}, {"soon", "", 0}, {"8000000", strconv.Itoa(os.Getpid() + 1), 0},
		{"8000000", "", 3}, {"8000000", strconv.Itoa(os.Getpid()), 3},
	} {
		t.Setenv("WATCHDOG_USEC", c.usec)
		t.Setenv("WATCHDOG_PID", c.pid)
		p, now := newPulse(), time.Now()
		for range 50 { // 5 seconds: at 0, 2 and 4
			p.beat(now)
			now = now.Add(100 * time.Millisecond)
		}
		if err := notify("END"); err != nil {
			t.Fatal(err)
		}
		beats, b := 0, make([]byte, 100)
		for {
			n, err := l.Read(b)
			if err != nil {
				t.Fatal(err)
			}
			if string(b[:n]) == "END" {
				break
			}
			if beats++; string(b[:n]) != alive {
				t.Errorf("%q", b[:n])
			}
		}
		if beats != c.beats {
			t.Errorf("%+v: %d beats", c, beats)
		}
	}
}
