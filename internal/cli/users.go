package cli

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"golang.org/x/term"

	"ciderd/internal/admin/api"
)

// Users are the verbs about users.
func Users() []Verb {
	return append([]Verb{{
		Name: "user add", Args: "NAME", Summary: "add a user, also while signup is closed", Group: ToANode, Min: 1, Max: 1,
		Text: `The password is asked for, or is the first line of standard input. It is never
taken from the command line.`,
		Run: addUser,
	}}, shares()...)
}

func addUser(c *Call) error {
	password, err := c.readPassword()
	if err != nil {
		return err
	}
	return say(c, api.AddUser, api.UserRequest{Name: c.Words[0], Password: password})
}

// readPassword asks a person twice, without echo, and takes a script's first line.
func (c *Call) readPassword() ([]byte, error) {
	in := int(c.In.Fd())
	if !term.IsTerminal(in) {
		line, err := bufio.NewReader(io.LimitReader(c.In, 1<<10)).ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("reading the password: %w", err)
		}
		return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r")), nil
	}
	var typed [2][]byte
	for i, prompt := range []string{"Password: ", "Again: "} {
		fmt.Fprint(c.Err, prompt)
		var err error
		typed[i], err = term.ReadPassword(in)
		fmt.Fprintln(c.Err)
		if err != nil {
			return nil, fmt.Errorf("reading the password: %w", err)
		}
	}
	if !bytes.Equal(typed[0], typed[1]) {
		return nil, errors.New("the two passwords differ")
	}
	return typed[0], nil
}
