package cli

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"ciderd/internal/admin/api"
	"ciderd/internal/report"
)

// Debug is the verb that makes an archive for a ticket.
func Debug() Verb {
	return Verb{
		Name: "debug", Args: "FILE", Summary: "make an archive (.tar.gz) for a ticket", Group: ToANode, Min: 1, Max: 1,
		Text: `Status of all nodes, what doctor says, settings, metrics, the last lines of
this node's log, what its goroutines do, and profiles of memory and, for 5
seconds, of the processor. No key, no value, no password and no hash is in it;
what looks like a secret is blanked. Names of users and addresses of clients
are in the log's lines. FILE must not be there yet; only its owner can read it.`,
		Run: debug,
	}
}

func debug(c *Call) error {
	name := c.Words[0]
	if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = fmt.Errorf("%s is there already: name a new file", name)
		}
		return err
	}
	client, err := c.Client()
	if err != nil {
		return err
	}
	made, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*") // which is 0600
	if err != nil {
		return err
	}
	defer os.Remove(made.Name()) // it is gone if all goes well
	defer made.Close()
	if client.Progress != nil {
		client.Progress("this takes some seconds")
	}
	files, size, err := fetch(client, made)
	if err == nil {
		err = os.Rename(made.Name(), name)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(c.Out, "%s has %d files, %s\n", name, files, report.Bytes(size))
	return nil
}

// fetch has the archive written to a file and reads it back.
func fetch(client *api.Client, to *os.File) (files int, size int64, err error) {
	if err := client.Debug(to); err != nil {
		return 0, 0, err
	}
	if err := to.Sync(); err != nil {
		return 0, 0, err
	}
	if _, err := to.Seek(0, io.SeekStart); err != nil {
		return 0, 0, err
	}
	if files, err = countFiles(to); err != nil {
		return 0, 0, fmt.Errorf("the archive is not whole: %w", err)
	}
	size, err = to.Seek(0, io.SeekEnd)
	return files, size, err
}

// countFiles returns how many files are in an archive, all of which it reads.
func countFiles(from io.Reader) (n int, err error) {
	zip, err := gzip.NewReader(from)
	if err != nil {
		return 0, err
	}
	for r := tar.NewReader(zip); ; n++ {
		switch _, err := r.Next(); {
		case errors.Is(err, io.EOF):
			_, err = io.Copy(io.Discard, zip) // its checksum is at the end
			return n, err
		case err != nil:
			return 0, err
		}
	}
}
