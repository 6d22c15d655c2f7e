package judge

import (
	"fmt"
	"math"
	"strings"

	"github.com/anishathalye/porcupine"
)

// RegisterOp is a SET of a key, or a GET behind a SYNC.
type RegisterOp struct {
	Client     int
	Key        string
	Write      bool
	Value      string
	Start, End int64
}

// absent is what a read of a key without a value gives.
const absent = "NOT_FOUND"

var registerModel = porcupine.Model{
	Init: func() any { return absent },
	Step: func(state, input, _ any) (bool, any) {
		o := input.(RegisterOp)
		if o.Write {
			return true, o.Value
		}
		return o.Value == state.(string), state
	},
	DescribeOperation: func(input, _ any) string {
		o := input.(RegisterOp)
		if o.Write {
			return "SET " + o.Value
		}
		return "GET -> " + o.Value
	},
}

// CheckRegisters judges each key by itself; undecided counts those that took too long.
func CheckRegisters(ops []RegisterOp) (errs []error, undecided int) {
	read := map[string]bool{}
	for _, o := range ops {
		if !o.Write {
			read[o.Key+" "+o.Value] = true
		}
	}
	byKey := map[string][]porcupine.Operation{}
	for _, o := range ops {
		// A write of unknown outcome that nobody has read may as well come last of all; leaving it
		// out changes no verdict and spares the checker much.
		if o.Write && o.End == math.MaxInt64 && !read[o.Key+" "+o.Value] {
			continue
		}
		byKey[o.Key] = append(byKey[o.Key], porcupine.Operation{ClientId: o.Client, Input: o, Call: o.Start, Return: o.End})
	}
	return judgeKeys(registerModel, byKey)
}

func judgeKeys(model porcupine.Model, byKey map[string][]porcupine.Operation) (errs []error, undecided int) {
	for key, history := range byKey {
		switch porcupine.CheckOperationsTimeout(model, history, checkLimit) {
		case porcupine.Illegal:
			errs = append(errs, Violationf("%s: %d operations are not linearizable", key, len(history)))
		case porcupine.Unknown:
			undecided++
		}
	}
	return errs, undecided
}

// CasOp is a GETV behind a SYNC (value new, at version), or the swap of old for new.
type CasOp struct {
	Client      int
	Key         string
	Swap        bool
	Old, New    string // "" is no value
	Version     string
	Ok, Unknown bool
	Start, End  int64
}

var casModel = porcupine.Model{
	Init: func() any { return "" },
	Step: func(state, input, _ any) (bool, any) {
		o := input.(CasOp)
		matches := state.(string) == o.Old
		switch {
		case !o.Swap:
			return o.New == state.(string), state
		case matches && (o.Ok || o.Unknown):
			return true, o.New
		}
		// Refused, or of unknown outcome: then it may have been refused.
		return !o.Ok && !matches, state
	},
	DescribeOperation: func(input, _ any) string { return fmt.Sprintf("%+v", input) },
}

// CheckCAS judges swaps, and that a value always has the same version.
func CheckCAS(ops []CasOp) (errs []error, undecided int) {
	byKey := map[string][]porcupine.Operation{}
	versions := map[string]string{}
	for _, o := range ops {
		byKey[o.Key] = append(byKey[o.Key], porcupine.Operation{ClientId: o.Client, Input: o, Call: o.Start, Return: o.End})
		if o.Swap || o.New == "" {
			continue
		}
		id := o.Key + " " + o.New
		if known := versions[id]; known != "" && known != o.Version {
			errs = append(errs, Violationf("%s: value %s has version %s and %s", o.Key, o.New, known, o.Version))
		}
		versions[id] = o.Version
	}
	more, undecided := judgeKeys(casModel, byKey)
	return append(errs, more...), undecided
}

// LastReads adds what is there in the end to the histories, as a read of one more client.
func LastReads(registers []RegisterOp, swaps []CasOp, s Contents, now int64) ([]RegisterOp, []CasOp) {
	const reader = math.MaxInt16
	for i := range RegisterKeys {
		o := RegisterOp{Client: reader, Key: fmt.Sprintf("reg:%d", i), Value: absent, Start: now, End: now + 1}
		if value, ok := s.value(o.Key); ok {
			o.Value = value
		}
		registers = append(registers, o)
	}
	for i := range CasKeys {
		o := CasOp{Client: reader, Key: fmt.Sprintf("cas:%d", i), Start: now, End: now + 1}
		if reply, ok := s[o.Key]; ok {
			o.New, _ = s.value(o.Key)
			o.Version = strings.Fields(reply)[1]
		}
		swaps = append(swaps, o)
	}
	return registers, swaps
}
