package script

import (
	"fmt"
	"math"
	"math/bits"

	lua "github.com/yuin/gopher-lua"
)

func bitLibrary() map[string]lua.LGFunction {
	fold := func(f func(a, b uint32) uint32) lua.LGFunction {
		return func(l *lua.LState) int {
			v := checkBits(l, 1)
			for i := 2; i <= l.GetTop(); i++ {
				v = f(v, checkBits(l, i))
			}
			return pushBits(l, v)
		}
	}
	shift := func(f func(v uint32, n int) uint32) lua.LGFunction {
		return func(l *lua.LState) int { return pushBits(l, f(checkBits(l, 1), int(checkBits(l, 2)&31))) }
	}
	return map[string]lua.LGFunction{
		"tobit":   func(l *lua.LState) int { return pushBits(l, checkBits(l, 1)) },
		"bnot":    func(l *lua.LState) int { return pushBits(l, ^checkBits(l, 1)) },
		"bswap":   func(l *lua.LState) int { return pushBits(l, bits.ReverseBytes32(checkBits(l, 1))) },
		"band":    fold(func(a, b uint32) uint32 { return a & b }),
		"bor":     fold(func(a, b uint32) uint32 { return a | b }),
		"bxor":    fold(func(a, b uint32) uint32 { return a ^ b }),
		"lshift":  shift(func(v uint32, n int) uint32 { return v << n }),
		"rshift":  shift(func(v uint32, n int) uint32 { return v >> n }),
		"arshift": shift(func(v uint32, n int) uint32 { return uint32(int32(v) >> n) }),
		"rol":     shift(bits.RotateLeft32),
		"ror":     shift(func(v uint32, n int) uint32 { return bits.RotateLeft32(v, -n) }),
		"tohex":   bitTohex,
	}
}

// checkBits is an argument as 32 bits: rounded to the nearest even integer, modulo 1<<32.
func checkBits(l *lua.LState, n int) uint32 {
	f := math.RoundToEven(float64(l.CheckNumber(n)))
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return 0
	}
	return uint32(int64(math.Mod(f, 1<<32)))
}

func pushBits(l *lua.LState, v uint32) int { return pushAll(l, lua.LNumber(int32(v))) }

// bitTohex prints the last digits of a number; a negative count, in upper case.
func bitTohex(l *lua.LState) int {
	v, n := checkBits(l, 1), 8
	if l.Get(2) != lua.LNil {
		n = int(int32(checkBits(l, 2)))
	}
	format := "%08x"
	if n < 0 {
		n, format = -n, "%08X"
	}
	return pushAll(l, lua.LString(fmt.Sprintf(format, v)[8-min(max(n, 0), 8):]))
}
