// Package bundle owns the archive for a ticket: one .tar.gz with all that is needed to see from afar how a node and its
// cluster are.
//
// It promises that what looks like a secret is blanked, that a part which cannot be made is named and does not cost the
// others, and that an archive ends well only if it is whole. It has no key, no value, no password and no hash; names of
// users and addresses of clients are in the log's lines. It never changes anything.
package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"time"

	"ciderd/internal/report"
)

// Source is what the parts are made of. Its functions may be called from any goroutine.
type Source struct {
	Node, Version string
	Full          func(context.Context) report.Full // asks the other nodes
	Past          func() report.Past
	Config        func() string // this node's settings, and where each is from
	File          string        // its configuration file; empty: there is none
	Metrics       func() http.Handler
	Log           func() []byte // the last lines
	Root          fs.FS         // of the machine, see machine.Root
	Profile       time.Duration // how long the processor is watched
}

// archive writes parts one after the other.
type archive struct {
	tar *tar.Writer
	dir string
	now time.Time
}

// Write writes an archive. It takes a little longer than the processor is watched.
func (s *Source) Write(ctx context.Context, to io.Writer) error {
	zip := gzip.NewWriter(to)
	a := &archive{tar: tar.NewWriter(zip), now: time.Now()}
	a.dir = fmt.Sprintf("ciderd-debug-%s-%s/", s.Node, a.now.UTC().Format("20060102T150405Z"))
	for _, p := range s.parts() {
		if err := a.add(ctx, &p); err != nil {
			return err
		}
	}
	return errors.Join(a.tar.Close(), zip.Close())
}

// add makes a part and writes it; what hinders it from being made becomes a file beside it.
func (a *archive) add(ctx context.Context, p *part) error {
	var made bytes.Buffer
	err := p.make(ctx, &made)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		if err := a.file(p.name+".error", fmt.Appendln(nil, err)); err != nil {
			return err
		}
	}
	if made.Len() == 0 && err != nil {
		return nil
	}
	content := made.Bytes()
	if !p.binary {
		content = blank(content)
	}
	return a.file(p.name, content)
}

func (a *archive) file(name string, content []byte) error {
	h := &tar.Header{Name: a.dir + name, Mode: 0o600, Size: int64(len(content)), ModTime: a.now, Typeflag: tar.TypeReg}
	if err := a.tar.WriteHeader(h); err != nil {
		return err
	}
	_, err := a.tar.Write(content)
	return err
}
