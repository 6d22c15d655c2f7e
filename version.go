// Package ciderd, the module's root, owns the number of the release, which VERSION holds and nothing else does.
// It has no other code: the program is cmd/ciderd.
package ciderd

import (
	_ "embed"
	"runtime/debug"
	"strings"
)

//go:embed VERSION
var number string

// Version is the release with the commit behind it, as far as that is known: 0.9.0+6047021, and with .dirty if the
// tree that was built had other changes. commit is what the linker was told; empty: what the Go command has noted.
func Version(commit string) string {
	if commit == "" {
		commit = noted()
	}
	release := strings.TrimSpace(number)
	if commit == "" {
		return release
	}
	return release + "+" + commit
}

// noted is the commit that go build has put into the binary, which go run does not.
func noted() (commit string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value[:min(7, len(s.Value))] + commit
		case s.Key == "vcs.modified" && s.Value == "true":
			commit += ".dirty"
		}
	}
	return commit
}
