package main

import (
	"fmt"
	"io"
	"os"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/cli"
	"ciderd/internal/recovery"
)

// flushJournal runs "journal flush".
func flushJournal(call *cli.Call) error {
	c, err := call.Config()
	if err != nil {
		return err
	}
	log := hclog.New(&hclog.LoggerOptions{Name: "ciderd", Level: hclog.Error, Output: os.Stderr})
	there, entries, err := recovery.FlushJournal(c.DataDir, log)
	if err != nil {
		return err
	}
	facts := struct {
		DataDir string
		Journal bool // there was one
		Entries int  // that only it had
	}{c.DataDir, there, entries}
	return call.Print(facts, func(w io.Writer) error {
		if !there {
			_, err := fmt.Fprintf(w, "%s has no journal: the last stop was a clean one, and every release can open it\n", c.DataDir)
			return err
		}
		_, err := fmt.Fprintf(w, "%s: %d entries that only the journal had are in raft.db now; releases that know no journal can open it\n", c.DataDir, entries)
		return err
	})
}
