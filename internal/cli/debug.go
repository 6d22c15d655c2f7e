package cli

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

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
	if client.Progress != nil {
		client.Progress("this takes some seconds")
	}
	files, size := 0, int64(0)
	err = replaceFile(name, client.Debug, func(f *os.File) (err error) {
		if files, err = countFiles(f); err != nil {
			return err
		}
		size, err = f.Seek(0, io.SeekEnd)
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(c.Out, "%s has %d files, %s\n", name, files, report.Bytes(size))
	return nil
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
