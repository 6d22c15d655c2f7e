package cli

import (
	"fmt"
	"io"
	"os"
	"time"

	"ciderd/internal/admin/api"
	"ciderd/internal/backup/archive"
	"ciderd/internal/report"
)

// Backups are the verbs about copies of what users have stored. release is the one that runs.
func Backups(release string) []Verb {
	return []Verb{
		{
			Name: "backup", Args: "FILE|-", Summary: "copy all users and what they have stored", Group: ToANode, Min: 1, Max: 1,
			Text: `It is a copy of one instant: of the node that is asked, and of all that anybody
had been told OK for, if there is a leader. Clients notice nothing. FILE has
mode 0600; it appears once it is whole, on the disk and read back, in the place
of one that is there. - is standard output. Keep it as secret as the users'
data: it holds their passwords' hashes.`,
			Run: func(c *Call) error { return backup(c, release) },
		},
		{
			Name: "restore", Args: "FILE", Summary: "put users back as a backup has them",
			Group: ToANode, Min: 1, Max: 1, Facts: true,
			Flags: []Flag{{"user", "U"}, {Name: "dry-run"}, {Name: "replace"}, {Name: "partial"}, {Name: "yes"}},
			Text: `Each user becomes exactly what FILE says: password, lock, quota, reserve, keys;
users that are not in FILE stay as they are. A user's sessions end when its
turn begins, and nobody can log in as that user until it is done.
-user U   only that one       -dry-run  say what would be done, and do nothing
-replace  also users that have keys here: those are lost
-partial  also if it does not fit: what goes beyond a limit is left out
-yes      do not ask for the cluster's name (else it is read from the terminal,
          or is the first line of standard input)
One that was broken off can be run again.`,
			Run: restore,
		},
		{
			Name: "inspect", Args: "FILE", Summary: "show what is in a backup; is it whole?", Group: OfTheProgram, Min: 1, Max: 1, Facts: true,
			Text: `It needs no node. Exit code 1: the file is damaged, or is no backup.`,
			Run:  func(c *Call) error { return inspect(c, release) },
		},
	}
}

func backup(c *Call, release string) error {
	client, err := c.Client()
	if err != nil {
		return err
	}
	name := c.Words[0]
	var head archive.Head
	var totals archive.Totals
	pull := func(out io.Writer) error {
		from, err := client.Save()
		if err != nil {
			return err
		}
		defer from.Close()
		head, totals, err = archive.Read(io.TeeReader(c.watched(from, 0), out), release, archive.Visitor{})
		return err
	}
	if name == "-" {
		err = pull(c.Out)
	} else {
		err = replaceFile(name, pull, func(f *os.File) error {
			_, _, err := archive.Read(f, release, archive.Visitor{})
			return err
		})
	}
	if err != nil {
		return err
	}
	said := c.Out
	if name == "-" {
		said = c.Err
	}
	fmt.Fprintf(said, "%s: %s of %s at %s\n", name, amounts(totals), head.Cluster, when(head.Time))
	if _, err := api.NoteBackup.Do(client, api.BackupNote{Time: head.Time}); err != nil {
		fmt.Fprintf(c.Err, "ciderd: the backup is whole, and the cluster does not know of it: %v\n", err)
	}
	return nil
}

// amounts says how much there is.
func amounts(t archive.Totals) string {
	return fmt.Sprintf("%s, %s, %s", report.Plural(t.Users, "user"), report.Plural(t.Items, "key"), report.Bytes(t.Bytes))
}

// when writes Unix milliseconds for people.
func when(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04:05 UTC") }

// watched is r; it tells a person how far it is, of so many bytes; 0: nobody knows of how many.
func (c *Call) watched(r io.Reader, all int64) io.Reader {
	if !isTerminal(c.Err) {
		return r
	}
	return &watched{r: r, out: c.Err, all: all, told: time.Now()}
}

type watched struct {
	r      io.Reader
	out    io.Writer
	n, all int64
	told   time.Time
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	w.n += int64(n)
	if time.Since(w.told) >= time.Second {
		w.told = time.Now()
		fmt.Fprintln(w.out, "ciderd:", w.progress())
	}
	return n, err
}

func (w *watched) progress() string {
	if w.all == 0 {
		return report.Bytes(w.n)
	}
	return fmt.Sprintf("%s of %s", report.Bytes(w.n), report.Bytes(w.all))
}
