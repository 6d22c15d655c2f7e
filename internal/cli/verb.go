// Package cli owns the command line: what ciderd can be told to do, as data, and what a person or a script is told
// back. Help, usage errors and the overview are made from the table, and so will be man pages and completions.
//
// It promises one way to parse flags, one place that turns an error into an exit code, screens of at most 80 x 24, and
// that no verb takes a password from its arguments. It never decides about a cluster: a verb asks a running node over
// its admin socket.
package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"ciderd/internal/admin/api"
	"ciderd/internal/config"
)

// Verb is one command of the command line.
type Verb struct {
	Name    string // of one word or two: "member add"
	Args    string // what stands behind the name, as usage prints it: "NAME"
	Summary string // one line of the overview
	Text    string // what help says beside that; lines of at most 79 bytes
	Group   Group
	// Min and Max are how many words stand behind the name.
	Min, Max int
	Flags    []Flag // its own; those of its group come beside them
	// Facts says that it prints facts, so it takes -json.
	Facts bool
	Run   func(c *Call) error
}

// Flag is a flag of a verb.
type Flag struct {
	Name string
	Arg  string // what it takes, as usage prints it: "FILE"; empty: nothing
}

// Group is what a verb works on. It is where the verb stands in the overview, and what flags it shares with others.
type Group int

// The groups.
const (
	OfTheNode    Group = iota // the process itself
	ToANode                   // a node that runs on this machine
	ToADirectory              // the data directory of a stopped node
	OfTheProgram              // the program: it takes no flags
)

var (
	configFlags = []Flag{{"config", "FILE"}, {"node", "NAME"}}
	socketFlags = []Flag{{"socket", "PATH"}}
)

// flags returns all flags that the verb takes.
func (v *Verb) flags() (all []Flag) {
	if v.Group != OfTheProgram {
		all = append(all, configFlags...)
	}
	if v.Group == ToANode {
		all = append(all, socketFlags...)
	}
	if v.Facts {
		all = append(all, Flag{Name: "json"})
	}
	return append(all, v.Flags...)
}

// Call is a verb as somebody has called it.
type Call struct {
	Verb  *Verb
	Words []string // behind the name, without flags
	In    *os.File
	Out   io.Writer
	Err   io.Writer

	program *Program
	values  map[string]string // of flags that were given
}

// Given reports whether a flag was given.
func (c *Call) Given(flag string) bool { _, given := c.values[flag]; return given }

// Set gives a flag a value that stands elsewhere.
func (c *Call) Set(flag, value string) { c.values[flag] = value }

// Options returns where the configuration is.
func (c *Call) Options() config.Options {
	return config.Options{Path: c.values["config"], Node: c.values["node"]}
}

// Config reads the configuration. The error is one of wrong configuration.
func (c *Call) Config() (*config.Config, error) {
	loaded, err := config.Load(c.Options())
	if err != nil {
		return nil, &configError{err}
	}
	return loaded, nil
}

// Client returns the way to the node that is asked: at -socket, or the one of the file's node on this machine. Its
// name is checked where there are several: the socket that is found may be that of another node of this machine.
func (c *Call) Client() (*api.Client, error) {
	socket, name := c.values["socket"], ""
	if socket == "" {
		loaded, err := c.Config()
		if err != nil {
			return nil, err
		}
		if !loaded.Single {
			name = loaded.NodeName
		}
		socket = api.FindSocket(loaded.DataDir)
	}
	client := api.NewClient(socket, name)
	if isTerminal(c.Err) {
		client.Progress = func(text string) { fmt.Fprintf(c.Err, "ciderd: %s\n", text) }
	}
	return client, nil
}

// Print prints facts: as JSON if that is asked for, else as text does.
func (c *Call) Print(facts any, text func(w io.Writer) error) error {
	if !c.Given("json") {
		return text(c.Out)
	}
	e := json.NewEncoder(c.Out)
	e.SetIndent("", "  ")
	return e.Encode(facts)
}

// ask makes a call on the admin socket.
func ask[Q, A any](c *Call, k api.Call[Q, A], q Q) (answer A, err error) {
	client, err := c.Client()
	if err != nil {
		return answer, err
	}
	return k.Do(client, q)
}

// say asks for something to be done, and prints what was.
func say[Q any](c *Call, k api.Call[Q, api.Done], q Q) error {
	done, err := ask(c, k, q)
	if err == nil {
		fmt.Fprintln(c.Out, done.Said)
	}
	return err
}
