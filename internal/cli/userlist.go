package cli

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"ciderd/internal/admin/api"
	"ciderd/internal/config"
)

// listUsers asks for one page after the other: no reply is longer than its bound, and no lock of the node is held long.
func listUsers(c *Call) error {
	client, err := c.Client()
	if err != nil {
		return err
	}
	all := []api.User{} // no user is an empty list, and not null
	for after := uint64(0); ; {
		page, err := api.ListUsers.Do(client, api.PageRequest{After: after})
		if err != nil {
			return err
		}
		all = append(all, page.Users...)
		if page.Next <= after {
			break
		}
		after = page.Next
	}
	slices.SortFunc(all, func(a, b api.User) int { return cmp.Compare(a.Name, b.Name) })
	return c.Print(all, func(w io.Writer) error { return writeUsers(w, all) })
}

func writeUsers(out io.Writer, all []api.User) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tLOCKED\tKEYS\tMEMORY\tQUOTA\tRESERVE\tEVICTED\tSESSIONS")
	for _, u := range all {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\t%d\t%d\n", u.Name, yesOrDash(u.Locked), u.Keys, about(u.Memory),
			sizeOrDash(u.Quota), sizeOrDash(u.Reserve), u.Evicted, u.Sessions)
	}
	return w.Flush()
}

func showUser(c *Call) error {
	u, err := ask(c, api.ShowUser, api.NameRequest{Name: c.Words[0]})
	if err != nil {
		return err
	}
	return c.Print(u, func(w io.Writer) error { return writeUser(w, &u) })
}

func writeUser(out io.Writer, u *api.User) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	quota, guarantee, locked := sizeOrDash(u.Quota), "all", "no"
	if u.Quota != 0 && u.OwnQuota == 0 {
		quota += " (the default)"
	}
	if u.Guarantee != nil {
		guarantee = about(*u.Guarantee)
	}
	if u.Locked {
		locked = "yes"
	}
	if u.Restoring {
		locked += "; it is being restored"
	}
	for _, row := range [][2]string{
		{"name", u.Name}, {"id", fmt.Sprint(u.ID)}, {"locked", locked}, {"keys", fmt.Sprint(u.Keys)}, {"memory", about(u.Memory)},
		{"quota", quota}, {"reserve", sizeOrDash(u.Reserve)}, {"guarantee", guarantee}, {"evicted", fmt.Sprint(u.Evicted)},
		{"sessions here", fmt.Sprint(u.Sessions)},
	} {
		fmt.Fprintf(w, "%s\t%s\n", row[0], row[1])
	}
	return w.Flush()
}

func yesOrDash(is bool) string {
	if is {
		return "yes"
	}
	return "-"
}

// sizeOrDash returns an amount as a file has it; "-": there is none.
func sizeOrDash(bytes int64) string {
	if bytes == 0 {
		return "-"
	}
	return config.Memory(bytes).String()
}
