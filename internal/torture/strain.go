package torture

import (
	"slices"

	"ciderd/internal/harness"
)

// strain is how much trouble a node may be in during a round, and so which errors its clients may
// see. It only grows within a round.
type strain int32

const (
	quiet    strain = iota // nothing was done to it and a majority is with it: no error at all
	alone                  // it may be without a leader: writes may fail in the ways that say so
	filled                 // as alone, and somewhere there is no space left
	departed               // it may be stopped, cut off from clients, or catching up
)

// Errors that a client may see, by what its node goes through. INTERNAL is never one of them, and
// neither is AUTH_FAILED: an account that was there before would be gone.
var (
	aloneCodes    = []string{"NO_LEADER", "TIMEOUT", "BUSY"}
	filledCodes   = append(slices.Clone(aloneCodes), "MEMORY_FULL")
	departedCodes = append(slices.Clone(filledCodes), "", "LOADING", "SHUTTING_DOWN") // "" is a cut connection
)

// allows tells whether a client may see err.
func (s strain) allows(err error) bool {
	code := harness.Code(err)
	switch s {
	case alone:
		return slices.Contains(aloneCodes, code)
	case filled:
		return slices.Contains(filledCodes, code)
	case departed:
		return slices.Contains(departedCodes, code)
	}
	return false
}

// strained is said before something is done that puts nodes in trouble.
func strained(s strain, nodes ...*node) {
	for _, n := range nodes {
		if strain(n.level.Load()) < s {
			n.level.Store(int32(s))
		}
	}
}
