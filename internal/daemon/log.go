package daemon

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/mattn/go-isatty"

	"ciderd/internal/config"
)

// Logs are the daemon's loggers: its own, and a terser one for the Raft library, which logs at level info what is
// of interest only when looking for a fault in it.
type Logs struct {
	Main, Raft hclog.Logger
	queue      *queue
}

// NewLogs returns loggers to standard error. The format auto is text for a person (a terminal, the journal, or a
// node for trying out) and JSON for a collector. What libraries log themselves goes there too: in a running node
// only the queue writes to standard error.
func NewLogs(c *config.Config) Logs {
	journal := os.Getenv("JOURNAL_STREAM") != ""
	person := isatty.IsTerminal(os.Stderr.Fd()) || journal || c.Single
	var output io.Writer = os.Stderr
	if journal {
		output = journalWriter{os.Stderr}
	}
	l := newLogs(output, hclog.LoggerOptions{
		Name:        "ciderd",
		JSONFormat:  c.LogFormat == config.LogJSON || c.LogFormat == config.LogAuto && !person,
		DisableTime: journal, // the journal adds the time
	})
	l.setLevel(c.LogLevel)
	hclog.SetDefault(l.Main)
	log.SetFlags(0)
	log.SetOutput(l.Main.StandardWriter(&hclog.StandardLoggerOptions{ForceLevel: hclog.Warn}))
	return l
}

func newLogs(output io.Writer, options hclog.LoggerOptions) (l Logs) {
	plain := options
	l.queue = newQueue(output, func(dropped int) []byte { return droppedLine(plain, dropped) })
	repeats := &repeats{last: map[string]time.Time{}}
	options.Output = l.queue
	options.Mutex = new(sync.Mutex) // both write to the same queue
	options.Exclude = unwanted
	l.Main = hclog.New(&options)
	options.Name = "ciderd.raft"
	options.Exclude = func(level hclog.Level, msg string, args ...any) bool {
		return unwanted(level, msg, args...) || !l.Raft.IsDebug() && repeats.again(msg, args...)
	}
	l.Raft = hclog.New(&options)
	return l
}

// droppedLine returns the line that says that lines are missing.
func droppedLine(options hclog.LoggerOptions, dropped int) []byte {
	var line bytes.Buffer
	options.Output = &line
	hclog.New(&options).Warn(fmt.Sprintf("%d lines of the log were dropped: nobody was reading it", dropped))
	return line.Bytes()
}

// Last logs why a node ends: no line follows it.
func (l Logs) Last(level hclog.Level, msg string, args ...any) {
	l.Raft.SetLevel(hclog.Off)
	l.Main.Log(level, msg, args...)
	l.queue.end()
}

// logMoment is how long the end of a process waits for a log that is not read.
const logMoment = 200 * time.Millisecond

// Flush returns once everything logged so far has been written, or after a moment.
func (l Logs) Flush() { l.queue.flush(logMoment) }

// Close drops what is logged from now on, and returns once everything logged earlier has been written, or after a
// moment.
func (l Logs) Close() {
	l.queue.end()
	l.Flush()
}

// Recent returns the last lines, up to 1,000 and a mebibyte.
func (l Logs) Recent() []byte { return l.queue.recent.text() }

func (l Logs) setLevel(level slog.Level) {
	l.Main.SetLevel(hclogLevel(level))
	if level > slog.LevelDebug {
		level = max(level, slog.LevelWarn)
	}
	l.Raft.SetLevel(hclogLevel(level))
}

// unwanted drops lines of the Raft library: two that print whole entries, and with them users' values, and those
// that call it an error when a node stops or a warning when a cluster starts.
func unwanted(_ hclog.Level, msg string, args ...any) bool {
	switch msg {
	case "got unexpected command", "expected heartbeat, got":
		return true
	case "no known peers, aborting election": // while a cluster forms
		return true
	case "heartbeat timeout reached, starting election", "Election timeout reached, restarting election":
		return true // the outcome is logged: which node leads
	case "failed to decode incoming command":
		return strings.Contains(fmt.Sprint(args...), net.ErrClosed.Error())
	}
	return false
}

// repeats keeps the Raft library from saying the same thing many times a second while a node is away.
type repeats struct {
	mu   sync.Mutex // last
	last map[string]time.Time
}

const sayAgain = 30 * time.Second

// again reports whether a line was logged lately about the same node: of two dead nodes both are named.
func (r *repeats) again(msg string, args ...any) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, key := time.Now(), msg+" "+aboutWhom(args)
	if last, said := r.last[key]; said && now.Sub(last) < sayAgain {
		return true
	}
	if len(r.last) >= mostSaid {
		clear(r.last)
	}
	r.last[key] = now
	return false
}

// mostSaid bounds how many lines are remembered: there are as many as messages and nodes.
const mostSaid = 1024

// aboutWhom returns the node that a line of the Raft library is about, if it says so.
func aboutWhom(args []any) string {
	for i := 0; i+1 < len(args); i += 2 {
		switch args[i] {
		case "peer", "server", "server-id", "id", "address", "to", "from":
			return fmt.Sprintf("%+v", args[i+1])
		}
	}
	return ""
}

// journalWriter puts the priority that the journal reads in front of each line: sd-daemon(3).
type journalWriter struct{ w io.Writer }

func (j journalWriter) Write(line []byte) (int, error) {
	priority := "<6>"
	for mark, p := range map[string]string{"[ERROR]": "<3>", "[WARN]": "<4>", "[DEBUG]": "<7>"} {
		if bytes.HasPrefix(bytes.TrimSpace(line), []byte(mark)) {
			priority = p
		}
	}
	_, err := j.w.Write(append([]byte(priority), line...))
	return len(line), err
}

func hclogLevel(l slog.Level) hclog.Level {
	switch {
	case l <= slog.LevelDebug:
		return hclog.Debug
	case l <= slog.LevelInfo:
		return hclog.Info
	case l <= slog.LevelWarn:
		return hclog.Warn
	}
	return hclog.Error
}
