package machine

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"strconv"
	"strings"
)

// Memory is an amount of memory, and what says so.
type Memory struct {
	Bytes int64
	// From names it for people: "MemTotal", the file of a control group, or "RLIMIT_AS".
	From string
}

// ErrUnknown means that this system does not say how much memory it has, as only Linux does.
var ErrUnknown = errors.New("the machine's memory is not known")

// Root is the file system that the functions of this package look at on a real machine.
func Root() fs.FS { return os.DirFS("/") }

// Available returns how much memory there is for this process: the least of what the machine has, of what the control
// groups allow that the process is in, and of its own resource limits. The error wraps ErrUnknown.
func Available(root fs.FS) (Memory, error) {
	least, err := total(root)
	if err != nil {
		return Memory{}, fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	for _, m := range append(groupLimits(root), resourceLimits(root)...) {
		if m.Bytes < least.Bytes {
			least = m
		}
	}
	return least, nil
}

// total returns what the machine has.
func total(root fs.FS) (Memory, error) {
	text, err := fs.ReadFile(root, "proc/meminfo")
	if err != nil {
		return Memory{}, err
	}
	n := kilobytes(text, "MemTotal:")
	if n <= 0 {
		return Memory{}, errors.New("/proc/meminfo has no MemTotal")
	}
	return Memory{n, "MemTotal"}, nil
}

// kilobytes returns the bytes of a line such as "MemTotal:  16384 kB"; 0 if there is none.
func kilobytes(text []byte, name string) int64 {
	for line := range lines(text) {
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[0] != name || fields[2] != "kB" {
			continue
		}
		n, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil || n > math.MaxInt64>>10 {
			return 0
		}
		return n << 10
	}
	return 0
}

// resourceLimits returns the limits of the process that memory counts to, as the soft limits are now.
func resourceLimits(root fs.FS) (all []Memory) {
	text, err := fs.ReadFile(root, "proc/self/limits")
	if err != nil {
		return nil
	}
	for line := range lines(text) {
		for _, limit := range []struct{ line, name string }{
			{"Max data size", "RLIMIT_DATA"}, {"Max address space", "RLIMIT_AS"},
		} {
			rest, ok := strings.CutPrefix(line, limit.line)
			if n, set := firstNumber(rest); ok && set {
				all = append(all, Memory{n, limit.name})
			}
		}
	}
	return all
}

// firstNumber returns the number that text begins with; not set: it is a word, such as unlimited, or too large.
func firstNumber(text string) (n int64, set bool) {
	word, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	n, err := strconv.ParseInt(word, 10, 64)
	return n, err == nil && n > 0
}

// lines goes over the lines of text. One that is longer than any that the kernel writes ends it.
func lines(text []byte) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		s := bufio.NewScanner(bytes.NewReader(text))
		for s.Scan() && yield(s.Text()) {
		}
	}
}
