package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/term"

	"ciderd/internal/admin/api"
)

// Exit codes, from sysexits.h where it has one: RestartPreventExitStatus in the unit knows 64, 65 and 78.
const (
	ExitOK       = 0
	ExitFailed   = 1
	ExitNoLeader = 2 // a node answers, and knows no leader
	ExitUsage    = 64
	ExitConfig   = 78
)

// Program is the command line: the table of its verbs.
type Program struct {
	Verbs []Verb
	// Default is the name of the verb that runs where none is named.
	Default string
	In      *os.File
	Out     io.Writer
	Err     io.Writer
}

// Errors that have exit codes of their own.
type (
	usageError  struct{ error }
	configError struct{ error }
	// ExitError ends the program with a code; what there was to say has been said.
	ExitError int
)

func (e usageError) Unwrap() error   { return e.error }
func (e *configError) Unwrap() error { return e.error }

func (e ExitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// Usage returns an error that says that a verb was called wrongly.
func Usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// Main does what args ask for, and returns the exit code.
func (p *Program) Main(args []string) int {
	if len(args) == 0 || args[0] == "" || args[0][0] == '-' {
		v, _ := p.find([]string{p.Default})
		return p.call(v, args, true)
	}
	v, rest := p.find(args)
	if v == nil {
		return p.unknown(args)
	}
	return p.call(v, rest, false)
}

// call runs a verb; bare: nobody has named it, so help is the overview.
func (p *Program) call(v *Verb, args []string, bare bool) int {
	c := &Call{Verb: v, In: p.In, Out: p.Out, Err: p.Err, program: p}
	err := c.parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp) && bare:
		p.overview(p.Out)
		return ExitOK
	case errors.Is(err, flag.ErrHelp):
		v.about(p.Out)
		return ExitOK
	case err == nil:
		err = v.Run(c)
	}
	return p.exitCode(v, err)
}

// exitCode says what went wrong, and returns its code: the one place that does.
func (p *Program) exitCode(v *Verb, err error) int {
	var usage usageError
	var config *configError
	var exit ExitError
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &exit):
		return int(exit)
	case errors.As(err, &usage):
		fmt.Fprintf(p.Err, "ciderd: %v\nusage: ciderd %s (more: ciderd help %s)\n", usage, strings.TrimSpace(v.Name+" "+v.Args), v.Name)
		return ExitUsage
	case errors.As(err, &config):
		fmt.Fprintln(p.Err, config)
		return ExitConfig
	}
	fmt.Fprintf(p.Err, "ciderd: %v\n", err)
	if errors.Is(err, api.ErrNoLeader) {
		return ExitNoLeader
	}
	return ExitFailed
}

// parse reads flags, which may stand before, between and behind the words.
func (c *Call) parse(args []string) error {
	flags := flag.NewFlagSet("ciderd", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	c.values = map[string]string{}
	for _, f := range c.Verb.flags() {
		if f.Arg != "" {
			flags.Func(f.Name, "", func(text string) error { c.values[f.Name] = text; return nil })
			continue
		}
		flags.BoolFunc(f.Name, "", func(text string) error {
			on, err := strconv.ParseBool(text)
			if delete(c.values, f.Name); on {
				c.values[f.Name] = text
			}
			return err
		})
	}
	for {
		if err := flags.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return err
			}
			return usageError{err}
		}
		if flags.NArg() == 0 {
			break
		}
		c.Words, args = append(c.Words, flags.Arg(0)), flags.Args()[1:]
	}
	switch n := len(c.Words); {
	case n > c.Verb.Max && c.Verb.Max == 0:
		return Usage("unexpected argument %q", c.Words[0])
	case n < c.Verb.Min || n > c.Verb.Max:
		return Usage("wrong number of arguments")
	}
	return nil
}

// find returns the verb that args begin with, and what is left of them.
func (p *Program) find(args []string) (found *Verb, rest []string) {
	for i := range p.Verbs {
		words := strings.Fields(p.Verbs[i].Name)
		if len(args) >= len(words) && strings.Join(args[:len(words)], " ") == p.Verbs[i].Name {
			found, rest = &p.Verbs[i], args[len(words):]
		}
	}
	return found, rest
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
