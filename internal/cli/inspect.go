package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"ciderd/internal/backup/archive"
	"ciderd/internal/report"
)

// inspected is what is in a backup. As JSON it is part of the command's contract: fields are only added.
type inspected struct {
	File    string
	Whole   bool   // every byte is what was written
	Damage  string `json:",omitempty"` // why it is not
	Cluster string
	Node    string
	Release string // that wrote it
	Format  int
	Time    int64 // Unix milliseconds
	Keys    int64
	Bytes   int64 // of keys and values
	Users   []inspectedUser
}

type inspectedUser struct {
	Name           string
	Locked         bool
	Quota, Reserve int64 // bytes; 0: none of its own
	Keys, Bytes    int64
	OnceIDs        int64
}

func inspect(c *Call, release string) error {
	f, err := os.Open(c.Words[0])
	if err != nil {
		return err
	}
	defer f.Close()
	size := int64(0)
	if info, err := f.Stat(); err == nil {
		size = info.Size()
	}
	found, err := contents(c.watched(f, size), release)
	found.File = c.Words[0]
	if err != nil && !errors.Is(err, archive.ErrDamaged) {
		return fmt.Errorf("%s: %w", found.File, err)
	}
	if err := c.Print(found, func(w io.Writer) error { return writeInspected(w, &found) }); err != nil {
		return err
	}
	if err != nil {
		return fmt.Errorf("%s: %w", found.File, err)
	}
	return nil
}

func contents(r io.Reader, release string) (found inspected, err error) {
	found.Users = []inspectedUser{}
	last := func() *inspectedUser { return &found.Users[len(found.Users)-1] }
	head, totals, err := archive.Read(r, release, archive.Visitor{
		User: func(u archive.User) error {
			found.Users = append(found.Users, inspectedUser{Name: string(u.Name), Locked: u.Locked, Quota: u.Quota, Reserve: u.Reserve})
			return nil
		},
		Reply: func(archive.Reply) error { last().OnceIDs++; return nil },
		Item: func(i archive.Item) error {
			last().Keys++
			last().Bytes += int64(len(i.Key) + len(i.Value))
			return nil
		},
	})
	found.Cluster, found.Node, found.Release, found.Format, found.Time = head.Cluster, head.Node, head.Release, head.Format, head.Time
	found.Keys, found.Bytes, found.Whole = totals.Items, totals.Bytes, err == nil
	if err != nil {
		found.Damage = err.Error()
	}
	return found, err
}

func writeInspected(out io.Writer, f *inspected) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	whole := "yes: the checksum over all is right"
	if !f.Whole {
		whole = "NO: what follows is what could be read"
	}
	fmt.Fprintf(w, "whole\t%s\ncluster\t%s\nwritten by\t%s, ciderd %s, format %d\nof\t%s\n", whole, f.Cluster, f.Node, f.Release, f.Format, when(f.Time))
	fmt.Fprintf(w, "holds\t%s, %s, %s\n\n", report.Plural(len(f.Users), "user"), report.Plural(f.Keys, "key"), report.Bytes(f.Bytes))
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w, "USER\tKEYS\tBYTES\tQUOTA\tRESERVE\tONCE\t")
	for _, u := range f.Users {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%d\t%s\n", u.Name, u.Keys, report.Bytes(u.Bytes), orNone(u.Quota), orNone(u.Reserve), u.OnceIDs, lockedWord(u.Locked))
	}
	return w.Flush()
}

func orNone(bytes int64) string {
	if bytes == 0 {
		return "-"
	}
	return report.Bytes(bytes)
}

func lockedWord(locked bool) string {
	if locked {
		return "locked"
	}
	return ""
}
