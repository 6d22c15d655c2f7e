package script

import (
	"encoding/binary"
	"math"

	"crypto/sha256"

	lua "github.com/yuin/gopher-lua"
)

func mathLibrary() map[string]lua.LGFunction {
	all := borrowed("math", "abs", "acos", "asin", "atan", "atan2", "ceil", "cos", "cosh", "deg", "exp", "floor", "fmod", "frexp",
		"ldexp", "log", "log10", "max", "min", "modf", "pow", "rad", "sin", "sinh", "sqrt", "tan", "tanh")
	all["mod"] = all["fmod"]
	all["random"], all["randomseed"] = mathRandom, mathRandomseed
	return all
}

func mathConstants() map[string]lua.LValue {
	return map[string]lua.LValue{"pi": lua.LNumber(math.Pi), "huge": lua.LNumber(math.Inf(1))}
}

// seedOf is what a run's random numbers follow from: its script, keys and arguments, so that a run that is repeated has
// the same.
func seedOf(s *Script, in *Input) uint64 {
	h := sha256.New()
	_, _ = h.Write([]byte(s.SHA))
	for _, words := range [][][]byte{in.Keys, in.Args} {
		_ = binary.Write(h, binary.LittleEndian, uint64(len(words)))
		for _, w := range words {
			_ = binary.Write(h, binary.LittleEndian, uint64(len(w)))
			_, _ = h.Write(w)
		}
	}
	return binary.LittleEndian.Uint64(h.Sum(nil))
}

// next is splitmix64.
func (r *run) next() uint64 {
	r.random += 0x9e3779b97f4a7c15
	z := r.random
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func mathRandom(l *lua.LState) int {
	f := float64(of(l).run.next()>>11) / (1 << 53)
	low, high := lua.LNumber(1), lua.LNumber(0)
	switch l.GetTop() {
	case 0:
		return pushAll(l, lua.LNumber(f))
	case 1:
		high = l.CheckNumber(1)
	default:
		low, high = l.CheckNumber(1), l.CheckNumber(2)
	}
	if !(low <= high) {
		l.ArgError(l.GetTop(), "interval is empty")
	}
	return pushAll(l, lua.LNumber(math.Floor(f*float64(high-low+1)))+low)
}

func mathRandomseed(l *lua.LState) int {
	of(l).run.random = math.Float64bits(float64(l.CheckNumber(1)))
	return 0
}
