//go:build e2e

package test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"time"

	"ciderd/internal/harness"
)

// watched collects a program's output and lets a test wait for words in it.
type watched struct {
	grown chan struct{} // one place: there is more than at the last look

	mu  sync.Mutex // protects all
	all bytes.Buffer
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case w.grown <- struct{}{}:
	default:
	}
	return w.all.Write(p)
}

// waitFor waits up to harness.Limit until the output holds the words; a
// terminal's CR are not looked at.
func (w *watched) waitFor(words string) error {
	limit := time.After(harness.Limit)
	for {
		w.mu.Lock()
		text := strings.ReplaceAll(w.all.String(), "\r", "")
		w.mu.Unlock()
		if strings.Contains(text, words) {
			return nil
		}
		select {
		case <-w.grown:
		case <-limit:
			return fmt.Errorf("no %q in %q", words, text)
		}
	}
}
