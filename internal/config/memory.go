package config

import (
	"fmt"
	"slices"
	"strings"
)

// Memory is an amount of memory in bytes, or one of the words that may stand for one.
type Memory int64

const (
	MemoryNone Memory = 0  // no limit
	MemoryAuto Memory = -1 // half of what the smallest node has
)

// maxMemory is above any machine.
const maxMemory Memory = 1 << 46

// String returns what a file would say, without the quotes: "auto", "none", or a size such as "2GiB".
func (m Memory) String() string {
	switch m {
	case MemoryNone:
		return "none"
	case MemoryAuto:
		return "auto"
	}
	return sizes.format(int64(m))
}

// memory is a setting that is a size of at least least, or one of words.
func memory(key string, ref func(*Config) *Memory, least Memory, words ...Memory) setting {
	return setting{
		key:     key,
		literal: measured,
		set: func(c *Config, text string) error {
			v, err := ParseMemory(text, least, words...)
			if err == nil {
				*ref(c) = v
			}
			return err
		},
		get: func(c *Config) string { return ref(c).String() },
	}
}

// ParseMemory reads a size of at least least, or one of words. What is wrong with it, the error says for people.
func ParseMemory(text string, least Memory, words ...Memory) (Memory, error) {
	names := make([]string, len(words))
	for i, w := range words {
		names[i] = w.String()
	}
	if i := slices.Index(names, text); i >= 0 {
		return words[i], nil
	}
	if number := strings.TrimLeft(text, "0123456789."); number == text {
		return 0, fmt.Errorf("%q is neither %s nor a size, like %q%s", text, strings.Join(names, ", "), least, didYouMean(text, names))
	}
	v, err := sizes.parse(text)
	if m := Memory(v); err == nil && (m < least || m > maxMemory) {
		return 0, fmt.Errorf("%q is out of range: from %s to %s, or %s", text, least, maxMemory, strings.Join(names, " or "))
	}
	return Memory(v), err
}
