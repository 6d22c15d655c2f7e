package cli

import (
	"errors"
	"fmt"
	"io"

	"ciderd/internal/admin/api"
)

// Reload is the verb that has a node read its file again.
func Reload() Verb {
	return Verb{
		Name: "reload", Summary: "read the file again, and say what has changed", Group: ToANode, Facts: true,
		Text: `It is what SIGHUP does, with an answer: what was taken over, what needs a
restart, or every mistake, and then nothing was taken over. Certificates are
read again too.
Exit codes: 78 mistakes in the file, 1 certificates that do not work any more.`,
		Run: reload,
	}
}

func reload(c *Call) error {
	answer, err := ask(c, api.Reload, struct{}{})
	var wrong *configError // the file that the command reads, to find the socket, is the node's
	switch {
	case errors.Is(err, api.ErrConfig), errors.As(err, &wrong):
		return &configError{fmt.Errorf("%w\nciderd: nothing was taken over", err)}
	case err != nil:
		return err
	}
	if err := c.Print(answer, func(w io.Writer) error { return writeReloaded(w, &answer) }); err != nil {
		return err
	}
	if answer.Certificates != "" {
		return fmt.Errorf("certificates are not taken over; those that were read before stay in use: %s", answer.Certificates)
	}
	return nil
}

func writeReloaded(w io.Writer, a *api.Reloaded) error {
	if len(a.Changed)+len(a.NeedsRestart) == 0 {
		fmt.Fprintln(w, "no setting differs from what the node does already")
	}
	for _, s := range a.Changed {
		fmt.Fprintln(w, "changed:", inWords(s))
	}
	for _, s := range a.NeedsRestart {
		fmt.Fprintln(w, "needs a restart:", inWords(s))
	}
	for _, text := range a.Warnings {
		fmt.Fprintln(w, "warning:", text)
	}
	return nil
}

func inWords(s api.Setting) string {
	if s.Old == "" && s.New == "" {
		return s.Key
	}
	return fmt.Sprintf("%s: %s, was %s", s.Key, orDash(s.New), orDash(s.Old))
}
