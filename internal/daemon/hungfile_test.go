package daemon

import (
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/certs"
	"ciderd/internal/config"
)

// While a file of certificates cannot be read, as its disk hangs, handshakes go on with what was read before.
func TestHangingFileStopsNoHandshake(t *testing.T) {
	dir := t.TempDir()
	a, err := certs.NewAuthority("test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := a.Issue([]string{"n1"}, []net.IP{}, time.Now(), 50)
	if err == nil {
		err = a.Write(dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile, err := certs.WritePair(dir, "n1", cert, key)
	if err != nil {
		t.Fatal(err)
	}
	e := newEncryption(hclog.NewNullLogger())
	use, err := e.prepare(config.TLS{CAFile: dir + "/" + certs.AuthorityFile, CertFile: certFile, KeyFile: keyFile})
	if err != nil {
		t.Fatal(err)
	}
	use()
	if err := os.Remove(certFile); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(certFile, 0o600); err != nil { // opening it waits for a writer
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		_ = e.again()
	}()
	var writer *os.File
	for writer == nil { // it can be opened so once somebody waits to read
		fd, err := syscall.Open(certFile, syscall.O_WRONLY|syscall.O_NONBLOCK, 0)
		if err == nil {
			writer = os.NewFile(uintptr(fd), certFile)
		} else if err != syscall.ENXIO {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	answered := make(chan bool)
	go func() {
		answered <- e.Certificate() != nil && e.Roots() != nil && e.forClients() != nil && e.notices(time.Now()) == nil
	}()
	select {
	case ok := <-answered:
		if !ok {
			t.Error("what was read before is not in use")
		}
	case <-time.After(2 * time.Minute):
		t.Error("handshakes wait for the file")
	}
	writer.Close()
	<-read
}
