package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

// reader is the other end of a log: it takes lines while it is told to, and keeps them.
type reader struct {
	reads sync.Mutex // locked: it has stopped reading

	mu   sync.Mutex // all below
	got  bytes.Buffer
	fail error
}

func (r *reader) Write(line []byte) (int, error) {
	r.reads.Lock()
	defer r.reads.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		return 0, r.fail
	}
	return r.got.Write(line)
}

func (r *reader) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.got.String()
}

func (r *reader) failWith(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = err
}

func logsTo(w io.Writer) Logs {
	return newLogs(w, hclog.LoggerOptions{Name: "ciderd", DisableTime: true, Level: hclog.Info})
}

// inTime fails if f takes longer than anything that must not wait.
func inTime(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { f(); close(done) }()
	select {
	case <-done:
	case <-time.After(2 * time.Minute):
		t.Fatalf("%s waits for the log's reader", what)
	}
}

// A log that nobody reads costs nobody time, and a bounded amount of memory; read again, it has what there
// was room for, in order, and says how much is missing, and where.
func TestLogNotRead(t *testing.T) {
	r := &reader{}
	l := logsTo(r)
	r.reads.Lock()
	const lines = 3 * queueLines
	inTime(t, "logging", func() {
		for i := range lines {
			l.Main.Info("line", "i", i)
		}
	})
	inTime(t, "a flush", l.Flush)
	r.reads.Unlock()
	l.queue.flush(time.Minute)
	l.Main.Info("behind it")
	l.queue.flush(time.Minute)
	text := r.text()
	kept := strings.Count(text, " line: i=")
	if kept < queueLines/2 || kept > queueLines || len(text) > queueBytes+1000 {
		t.Errorf("%d lines of %d kept, %d bytes", kept, lines, len(text))
	}
	for i := range kept {
		if !strings.Contains(text, fmt.Sprintf(" line: i=%d\n", i)) {
			t.Fatalf("line %d is missing, and %d were kept", i, kept)
		}
	}
	want := fmt.Sprintf(" i=%d\n[WARN]  ciderd: %d lines of the log were dropped: nobody was reading it\n[INFO]  ciderd: behind it\n", kept-1, lines-kept)
	if !strings.HasSuffix(text, want) {
		t.Errorf("the end is %q, want %q", text[max(0, len(text)-300):], want)
	}
}

// Lines as long as they may be are bounded by their bytes.
func TestLogBytesBounded(t *testing.T) {
	r := &reader{}
	l := logsTo(r)
	r.reads.Lock()
	for range 100 {
		l.Main.Info(strings.Repeat("x", 100<<10))
	}
	r.reads.Unlock()
	l.queue.flush(time.Minute)
	l.Main.Info("end")
	l.queue.flush(time.Minute)
	if n := len(r.text()); n < queueBytes/2 || n > queueBytes+1000 {
		t.Errorf("%d bytes were kept, the bound is %d", n, queueBytes)
	}
}

// The line that says why a node ends finds room in a full queue, behind the count of those that did not,
// and is the last.
func TestLastLineOfAFullLog(t *testing.T) {
	r := &reader{}
	l := logsTo(r)
	r.reads.Lock()
	for range 2 * queueLines {
		l.Main.Info("line")
	}
	l.Last(hclog.Error, "this is why")
	l.Main.Error("too late")
	l.Raft.Error("too late")
	r.reads.Unlock()
	l.queue.flush(time.Minute)
	time.Sleep(10 * time.Millisecond) // for what must not come
	lines := strings.Split(strings.TrimSpace(r.text()), "\n")
	if last := lines[len(lines)-2:]; !strings.Contains(last[0], "lines of the log were dropped") || last[1] != "[ERROR] ciderd: this is why" {
		t.Errorf("the end is %q", last)
	}
}

// A reader that is gone ends nothing, and one that takes its place is told what is missing.
func TestLogReaderGone(t *testing.T) {
	r := &reader{}
	l := logsTo(r)
	r.failWith(errors.New("broken pipe"))
	for range 3 {
		l.Main.Info("lost")
		l.queue.flush(time.Minute)
	}
	r.failWith(nil)
	l.Main.Info("seen")
	l.queue.flush(time.Minute)
	want := "[WARN]  ciderd: 3 lines of the log were dropped: nobody was reading it\n[INFO]  ciderd: seen\n"
	if r.text() != want {
		t.Errorf("%q, want %q", r.text(), want)
	}
}

// fatal ends the process in a moment, whoever does not read its log, and with the first reason for its
// last line.
func TestFatalWithoutAReader(t *testing.T) {
	r := &reader{}
	l := logsTo(r)
	ended := make(chan int, 1)
	d := &Daemon{log: l.Main, logs: l, exit: func(code int) { ended <- code; select {} }}
	r.reads.Lock()
	for range 2 * queueLines {
		l.Main.Info("line")
	}
	go d.fatal(errors.New("the disk failed"))
	select {
	case code := <-ended:
		if code != 1 {
			t.Errorf("exit code %d, want 1", code)
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("it waits for the log's reader")
	}
	go d.fatal(errors.New("another reason"))
	r.reads.Unlock()
	l.queue.flush(time.Minute)
	if text := r.text(); !strings.HasSuffix(text, "this node cannot go on: error=\"the disk failed\"\n") {
		t.Errorf("the end is %q", text[max(0, len(text)-300):])
	}
}
