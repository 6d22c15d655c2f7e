//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"time"
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

// waitFor waits up to limit until the output holds the words; a terminal's CR
// are not looked at.
func (w *watched) waitFor(words string, limit time.Duration) error {
	late := time.After(limit)
	for {
		w.mu.Lock()
		text := strings.ReplaceAll(w.all.String(), "\r", "")
		w.mu.Unlock()
		if strings.Contains(text, words) {
			return nil
		}
		select {
		case <-w.grown:
		case <-late:
			return fmt.Errorf("no %q in %q", words, text)
		}
	}
}
