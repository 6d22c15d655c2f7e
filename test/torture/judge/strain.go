package judge

import (
	"slices"

	"ciderd/test/harness"
)

// Strain is how much trouble a node may be in during a round, and so which errors its clients may
// see. It only grows within a round.
type Strain int32

const (
	Quiet    Strain = iota // nothing was done to it and a majority is with it: no error at all
	Alone                  // it may be without a leader: writes may fail in the ways that say so
	Filled                 // as alone, and somewhere there is no space left
	Departed               // it may be stopped, cut off from clients, or catching up
)

// Errors that a client may see, by what its node goes through. INTERNAL is never one of them, and
// neither is AUTH_FAILED: an account that was there before would be gone.
var (
	aloneCodes    = []string{"NO_LEADER", "TIMEOUT", "BUSY"}
	filledCodes   = append(slices.Clone(aloneCodes), "MEMORY_FULL")
	departedCodes = append(slices.Clone(filledCodes), "", "LOADING", "SHUTTING_DOWN") // "" is a cut connection
)

// Allows tells whether a client may see err.
func (s Strain) Allows(err error) bool {
	code := harness.Code(err)
	switch s {
	case Alone:
		return slices.Contains(aloneCodes, code)
	case Filled:
		return slices.Contains(filledCodes, code)
	case Departed:
		return slices.Contains(departedCodes, code)
	}
	return false
}
