package script

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// Input is what a script is run with.
type Input struct {
	Keys, Args [][]byte
	// Call runs a command. What it returns as a Reply of Kind Error is the command's own error, which redis.call raises
	// and redis.pcall returns. With an error the script ends at once, whatever it catches, and Run returns that error.
	Call func(args [][]byte) (Reply, error)
	// Allowance is what it may take, and what it has taken is taken from that; nil: the default of each limit.
	Allowance *Allowance
}

// run is one run of a script.
type run struct {
	budget *budget
	input  *Input
	script *Script
	resp   int // 2 or 3: redis.setresp
	line   int // where an error was raised last
	env    *lua.LTable
	random uint64
	idle   []*lua.LState // threads of pcalls that are over
}

// Run runs the script. What is wrong in the script is a Reply of Kind Error. Its own error is ErrSteps, ErrMemory, ErrTime,
// the cause of the end of ctx, or one that Call returned: the script was ended, and nothing that it has done may count.
func (s *Script) Run(ctx context.Context, in Input) (Reply, error) {
	if in.Allowance == nil {
		in.Allowance = NewAllowance(Limits{})
	}
	b := newBudget(ctx, in.Allowance)
	defer in.Allowance.keep(b)
	r := &run{budget: b, input: &in, script: s, resp: 2, line: 1, random: seedOf(s, &in)}
	b.run = r
	l := newState(b)
	defer l.Close()
	reply, err := r.main(l)
	if b.err != nil {
		return Reply{}, b.err
	}
	if err != nil {
		return r.failed(err), nil
	}
	return reply, nil
}

// newState returns a Lua state with nothing in it.
func newState(b *budget) *lua.LState {
	l := lua.NewState(lua.Options{
		CallStackSize: maxCalls, MinimizeStackMemory: true, RegistrySize: 256, RegistryMaxSize: 32 << 10, RegistryGrowStep: 256,
		SkipOpenLibs: true,
	})
	l.SetContext(b)
	return l
}

func (r *run) main(l *lua.LState) (reply Reply, err error) {
	defer func() { // of what is not within a PCall
		if p := recover(); p != nil {
			reply, err = Reply{}, fmt.Errorf("%v", p)
		}
	}()
	l.SetMetatable(lua.LString(""), world.stringMeta)
	r.env = r.globals(l)
	wrapper := l.NewFunctionFromProto(r.script.proto)
	l.Push(wrapper)
	for _, name := range hiddenNames {
		l.Push(world.hidden[name])
	}
	if err := l.PCall(len(hiddenNames), 1, nil); err != nil {
		return Reply{}, err
	}
	f, ok := l.Get(-1).(*lua.LFunction)
	if !ok {
		return Reply{}, errors.New("no function")
	}
	f.Env = r.env
	if err := l.PCall(0, 1, nil); err != nil {
		return Reply{}, err
	}
	return r.toReply(l, l.Get(-1), 0), nil
}

// failed is the reply of a script that has raised an error.
func (r *run) failed(err error) Reply {
	object := lua.LValue(lua.LString(err.Error()))
	var api *lua.ApiError
	if errors.As(err, &api) {
		object = api.Object
	}
	line, text := r.line, ""
	switch o := object.(type) {
	case *lua.LTable:
		text = "ERR (error object is a table value)"
		if s, ok := o.RawGetString("err").(lua.LString); ok {
			text = string(s)
		}
	case *lua.LNilType:
		text = "ERR nil"
	default:
		said := translated(asText(o))
		if said == "stack overflow" {
			said = fmt.Sprintf("%s:%d: %s", sourceName, line, said)
		}
		text = "ERR " + said
		line = lineOf(said, line)
	}
	return errorReply(fmt.Sprintf("%s script: %s, on @%s:%d.", oneLine(text), r.script.SHA, sourceName, line))
}

// lineOf returns the line that a message begins with, or else other.
func lineOf(message string, other int) int {
	rest, ok := strings.CutPrefix(message, sourceName+":")
	if !ok {
		return other
	}
	number, _, _ := strings.Cut(rest, ":")
	if line, err := strconv.Atoi(number); err == nil {
		return line
	}
	return other
}

// oneLine makes text what an error of the protocol may be.
func oneLine(text string) string {
	return strings.Map(func(c rune) rune {
		if c == '\r' || c == '\n' {
			return ' '
		}
		return c
	}, text)
}

// asText prints a value as tostring does, without asking its metatable.
func asText(v lua.LValue) string {
	if n, ok := v.(lua.LNumber); ok {
		return formatNumber(n)
	}
	return v.String()
}
