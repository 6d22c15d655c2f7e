package script

import (
	"errors"
	"strings"
)

// Flags is what the first line of a script says of it, if that begins with #! as in Redis 7.
type Flags struct {
	Declared bool // there is such a line
	NoWrites bool
}

// shebang splits off the first line, if it is one, and leaves its end, so that lines keep their numbers. Its error is to be
// answered as it stands.
func shebang(source string) (flags Flags, rest string, err error) {
	if !strings.HasPrefix(source, "#!") {
		return flags, source, nil
	}
	end := strings.IndexByte(source, '\n')
	if end < 0 {
		return flags, "", errors.New("ERR Invalid script shebang")
	}
	flags.Declared = true
	words := strings.Fields(source[:end])
	if words[0] != "#!lua" {
		return flags, "", errors.New(oneLine("ERR Unexpected engine in script shebang: " + words[0]))
	}
	for _, word := range words[1:] {
		list, ok := strings.CutPrefix(word, "flags=")
		if !ok {
			return flags, "", errors.New(oneLine("ERR Unknown lua shebang option: " + word))
		}
		if err := flags.set(list); err != nil {
			return flags, "", err
		}
	}
	return flags, source[end:], nil
}

// set takes a list of flags. Most are about what does not exist here: replicas that are behind, and slots.
func (f *Flags) set(list string) error {
	if list == "" {
		return nil
	}
	for flag := range strings.SplitSeq(list, ",") {
		switch flag {
		case "no-writes":
			f.NoWrites = true
		case "allow-oom", "allow-stale", "no-cluster", "allow-cross-slot-keys":
		default:
			return errors.New(oneLine("ERR Unexpected flag in script shebang: " + flag))
		}
	}
	return nil
}
