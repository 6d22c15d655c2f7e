package rig

import (
	"errors"
	"os"
	"strings"

	"ciderd/test/torture/judge"
)

// Log is the file with the output of all runs of a node. Offsets are in bytes.
type Log struct {
	Path string
	node string
}

// Since returns what was logged behind offset.
func (l Log) Since(offset int64) string {
	b, err := os.ReadFile(l.Path)
	if err != nil || int64(len(b)) < offset {
		return ""
	}
	return string(b[offset:])
}

// LastLine returns the last line behind offset.
func (l Log) LastLine(offset int64) string {
	lines := strings.Split(strings.TrimSpace(l.Since(offset)), "\n")
	return lines[len(lines)-1]
}

// Size returns how many bytes were logged.
func (l Log) Size() int64 {
	info, err := os.Stat(l.Path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// EndedClearly wants the log of a process that has ended to say why, in words, naming what.
func (l Log) EndedClearly(offset int64, what string) error {
	text := l.Since(offset)
	for _, sign := range []string{"panic:", "fatal error:", "SIGBUS", "goroutine 1 ["} {
		if strings.Contains(text, sign) {
			return judge.Violationf("%s ended by %q instead of a clear last line", l.node, sign)
		}
	}
	if what != "" && !strings.Contains(text, what) {
		return judge.Violationf("%s ended without naming %s; its last line: %.300s", l.node, what, l.LastLine(offset))
	}
	return nil
}

// Judge complains of what must not be in the log, behind offset.
func (l Log) Judge(offset int64) error {
	text := l.Since(offset)
	var errs []error
	for _, sign := range []string{"panic:", "fatal error:", "DATA RACE", Password} {
		if at := strings.Index(text, sign); at >= 0 {
			errs = append(errs, judge.Violationf("%s has logged %q: %.200s", l.node, sign, text[at:]))
		}
	}
	return errors.Join(errs...)
}
