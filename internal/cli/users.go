package cli

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/term"

	"ciderd/internal/admin/api"
)

const passwordText = `The password is asked for, or is the first line of standard input. It is never
taken from the command line.`

// Users are the verbs about users.
func Users() []Verb {
	return append([]Verb{
		{
			Name: "user list", Summary: "list all users, with what they have stored", Group: ToANode, Facts: true,
			Text: `SESSIONS are those on the node that is asked.`,
			Run:  listUsers,
		},
		{
			Name: "user show", Args: "NAME", Summary: "show one user", Group: ToANode, Min: 1, Max: 1, Facts: true,
			Run: showUser,
		},
		{
			Name: "user add", Args: "NAME", Summary: "add a user, also while signup is closed", Group: ToANode, Min: 1, Max: 1,
			Text: passwordText, Run: withPassword(api.AddUser),
		},
		{
			Name: "user passwd", Args: "NAME", Summary: "give a user another password", Group: ToANode, Min: 1, Max: 1,
			Text: passwordText + `
All sessions of the user end, on every node. A locked user stays locked.`,
			Run: withPassword(api.SetPassword),
		},
		{
			Name: "user lock", Args: "NAME", Summary: "end a user's sessions, and let nobody in", Group: ToANode, Min: 1, Max: 1,
			Text: `It holds on every node, until the user is unlocked. What is stored stays. A
LOGIN is answered as with a wrong password.`,
			Run: locking(true),
		},
		{
			Name: "user unlock", Args: "NAME", Summary: "let a locked user in again", Group: ToANode, Min: 1, Max: 1,
			Run: locking(false),
		},
		{
			Name: "user remove", Args: "[-yes] NAME", Summary: "remove a user and all that it has stored", Group: ToANode,
			Min: 1, Max: 1, Flags: []Flag{{Name: "yes"}},
			Text: `At a terminal it asks for the name once more. -yes does without, and is needed
where nobody can be asked.`,
			Run: removeUser,
		},
	}, shares()...)
}

func withPassword(k api.Call[api.UserRequest, api.Done]) func(*Call) error {
	return func(c *Call) error {
		password, err := c.readPassword()
		if err != nil {
			return err
		}
		return say(c, k, api.UserRequest{Name: c.Words[0], Password: password})
	}
}

func locking(locked bool) func(*Call) error {
	return func(c *Call) error {
		return say(c, api.LockUser, api.LockRequest{Name: c.Words[0], Locked: locked})
	}
}

func removeUser(c *Call) error {
	name := c.Words[0]
	if !c.Given("yes") {
		if !term.IsTerminal(int(c.In.Fd())) {
			return Usage("nobody can be asked whether %s is to be removed: say so with -yes", name)
		}
		if _, err := ask(c, api.ShowUser, api.NameRequest{Name: name}); err != nil {
			return err
		}
		fmt.Fprintf(c.Err, "This removes %s and all that it has stored, on every node. Type the name again: ", name)
		typed, err := bufio.NewReader(io.LimitReader(c.In, 1<<10)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("reading the name: %w", err)
		}
		if strings.TrimSpace(typed) != name {
			return errors.New("that is another name; nothing was removed")
		}
	}
	return say(c, api.RemoveUser, api.NameRequest{Name: name})
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
