package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"golang.org/x/term"

	"ciderd/internal/admin"
	"ciderd/internal/cluster"
	"ciderd/internal/config"
)

// operation is one call on the admin socket.
type operation struct {
	verb     string
	min, max int // words behind the verb
	do       func(c *admin.Client, words []string, yes bool) error
}

var (
	listing      = operation{"member list", 0, 0, listMembers}
	adding       = operation{"member add", 1, 1, changing(cluster.OpAdd)}
	removing     = operation{"member remove", 1, 1, changing(cluster.OpRemove)}
	promoting    = operation{"member promote", 1, 1, changing(cluster.OpPromote)}
	transferring = operation{"transfer", 0, 1, changing(cluster.OpTransfer)}
	userAdding   = operation{"user add", 1, 1, addUser}
)

func performing(o operation) func(args []string) int {
	return func(args []string) int { return perform(o, args) }
}

func perform(o operation, args []string) int {
	var options config.Options
	var socket string
	var yes bool
	words, err := split(args, func(f *flag.FlagSet) {
		f.StringVar(&options.Path, "config", "", "")
		f.StringVar(&options.Node, "node", "", "")
		f.StringVar(&socket, "socket", "", "")
		if o.verb == removing.verb {
			f.BoolVar(&yes, "yes", false, "")
		}
	})
	switch {
	case errors.Is(err, flag.ErrHelp):
		return helpOf(o.verb)
	case err == nil && (len(words) < o.min || len(words) > o.max):
		err = errors.New("wrong number of arguments")
	}
	if err != nil {
		return wrongUsage(o.verb, err)
	}
	client := admin.NewClient(socket, "")
	if socket == "" {
		c, code := load(options)
		if code != exitOK {
			return code
		}
		client = clientOf(c)
	}
	if err := o.do(client, words, yes); err != nil {
		fmt.Fprintf(os.Stderr, "ciderd: %v\n", err)
		return exitFailed
	}
	return exitOK
}

// clientOf finds the node of a configuration. Its name is checked where there are several: the
// socket that is found may be that of another node of this machine.
func clientOf(c *config.Config) *admin.Client {
	name := c.NodeName
	if c.Single {
		name = ""
	}
	return admin.NewClient(admin.FindSocket(c.DataDir), name)
}

// split parses flags that may stand before, between and behind the words.
func split(args []string, define func(*flag.FlagSet)) (words []string, err error) {
	flags := flag.NewFlagSet("ciderd", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	define(flags)
	for {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		if flags.NArg() == 0 {
			return words, nil
		}
		words, args = append(words, flags.Arg(0)), flags.Args()[1:]
	}
}

func changing(op string) func(*admin.Client, []string, bool) error {
	return func(c *admin.Client, words []string, yes bool) error {
		said, err := c.Change(op, append(words, "")[0], yes)
		if err == nil {
			fmt.Println(said)
		}
		return err
	}
}

func listMembers(c *admin.Client, _ []string, _ bool) error {
	list, warning, err := c.Members()
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tSERVER\tVOTE\tROLE\tALIVE\tLAST INDEX")
	for _, m := range list {
		server, role, alive, last := m.ServerID, "-", "no", "-"
		if server == "" {
			server = "-"
		}
		if m.Alive {
			alive, last = "yes", fmt.Sprint(m.LastIndex)
		}
		switch {
		case m.Leader:
			role = "leader"
		case m.Vote != cluster.VoteAbsent:
			role = "follower"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", m.Name, server, m.Vote, role, alive, last)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if warning != "" {
		return errors.New(warning)
	}
	return nil
}

func addUser(c *admin.Client, words []string, _ bool) error {
	password, err := readPassword()
	if err != nil {
		return err
	}
	said, err := c.AddUser(words[0], password)
	if err == nil {
		fmt.Println(said)
	}
	return err
}

// readPassword asks a person twice, without echo, and takes a script's first line.
func readPassword() ([]byte, error) {
	in := int(os.Stdin.Fd())
	if !term.IsTerminal(in) {
		line, err := bufio.NewReader(io.LimitReader(os.Stdin, 1<<10)).ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("reading the password: %w", err)
		}
		return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r")), nil
	}
	var typed [2][]byte
	for i, prompt := range []string{"Password: ", "Again: "} {
		fmt.Fprint(os.Stderr, prompt)
		var err error
		typed[i], err = term.ReadPassword(in)
		fmt.Fprintln(os.Stderr)
		if err != nil {
			return nil, fmt.Errorf("reading the password: %w", err)
		}
	}
	if !bytes.Equal(typed[0], typed[1]) {
		return nil, errors.New("the two passwords differ")
	}
	return typed[0], nil
}
