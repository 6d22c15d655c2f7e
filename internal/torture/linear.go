package torture

import (
	"fmt"
	"math"

	"github.com/anishathalye/porcupine"
)

// registerOp is a SET of a key, or a GET behind a SYNC.
type registerOp struct {
	client     int
	key        string
	write      bool
	value      string
	start, end int64
}

// absent is what a read of a key without a value gives.
const absent = "NOT_FOUND"

var registerModel = porcupine.Model{
	Init: func() any { return absent },
	Step: func(state, input, _ any) (bool, any) {
		o := input.(registerOp)
		if o.write {
			return true, o.value
		}
		return o.value == state.(string), state
	},
	DescribeOperation: func(input, _ any) string {
		o := input.(registerOp)
		if o.write {
			return "SET " + o.value
		}
		return "GET -> " + o.value
	},
}

// checkRegisters judges each key by itself; undecided counts those that took too long.
func checkRegisters(ops []registerOp) (errs []error, undecided int) {
	read := map[string]bool{}
	for _, o := range ops {
		if !o.write {
			read[o.key+" "+o.value] = true
		}
	}
	byKey := map[string][]porcupine.Operation{}
	for _, o := range ops {
		// A write of unknown outcome that nobody has read may as well come last of all; leaving it
		// out changes no verdict and spares the checker much.
		if o.write && o.end == math.MaxInt64 && !read[o.key+" "+o.value] {
			continue
		}
		byKey[o.key] = append(byKey[o.key], porcupine.Operation{ClientId: o.client, Input: o, Call: o.start, Return: o.end})
	}
	return judgeKeys(registerModel, byKey)
}

func judgeKeys(model porcupine.Model, byKey map[string][]porcupine.Operation) (errs []error, undecided int) {
	for key, history := range byKey {
		switch porcupine.CheckOperationsTimeout(model, history, checkLimit) {
		case porcupine.Illegal:
			errs = append(errs, violationf("%s: %d operations are not linearizable", key, len(history)))
		case porcupine.Unknown:
			undecided++
		}
	}
	return errs, undecided
}

// casOp is a GETV behind a SYNC (value new, at version), or the swap of old for new.
type casOp struct {
	client      int
	key         string
	swap        bool
	old, new    string // "" is no value
	version     string
	ok, unknown bool
	start, end  int64
}

var casModel = porcupine.Model{
	Init: func() any { return "" },
	Step: func(state, input, _ any) (bool, any) {
		o := input.(casOp)
		matches := state.(string) == o.old
		switch {
		case !o.swap:
			return o.new == state.(string), state
		case matches && (o.ok || o.unknown):
			return true, o.new
		}
		// Refused, or of unknown outcome: then it may have been refused.
		return !o.ok && !matches, state
	},
	DescribeOperation: func(input, _ any) string { return fmt.Sprintf("%+v", input) },
}

// checkCAS judges swaps, and that a value always has the same version.
func checkCAS(ops []casOp) (errs []error, undecided int) {
	byKey := map[string][]porcupine.Operation{}
	versions := map[string]string{}
	for _, o := range ops {
		byKey[o.key] = append(byKey[o.key], porcupine.Operation{ClientId: o.client, Input: o, Call: o.start, Return: o.end})
		if o.swap || o.new == "" {
			continue
		}
		id := o.key + " " + o.new
		if known := versions[id]; known != "" && known != o.version {
			errs = append(errs, violationf("%s: value %s has version %s and %s", o.key, o.new, known, o.version))
		}
		versions[id] = o.version
	}
	more, undecided := judgeKeys(casModel, byKey)
	return append(errs, more...), undecided
}
