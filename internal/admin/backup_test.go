package admin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"
	"time"

	"ciderd/internal/admin/api"
)

// The fake's backups are of so many bytes; they fail, with its err, before the first one or behind the last.
const backupSize = 3 << 20

func (f *fakeNode) Save(ctx context.Context, w io.Writer, begin func()) error {
	time.Sleep(f.slow)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if f.asked == "fail at once" {
		return f.err
	}
	begin()
	if _, err := w.Write(bytes.Repeat([]byte("x"), backupSize)); err != nil {
		return err
	}
	return f.err
}

func (f *fakeNode) Note(at int64) (string, error) {
	f.asked = fmt.Sprint("note ", at)
	return "did " + f.asked, f.err
}

// Restore reads the first kilobyte only if it fails.
func (f *fakeNode) Restore(ctx context.Context, q api.RestoreRequest, file io.Reader) (api.Restored, error) {
	time.Sleep(f.slow)
	if ctx.Err() != nil {
		return api.Restored{}, ctx.Err()
	}
	f.asked = fmt.Sprintf("restore %+v", q)
	if f.err != nil {
		_, _ = io.CopyN(io.Discard, file, 1<<10)
		return api.Restored{}, f.err
	}
	n, err := io.Copy(io.Discard, file)
	return api.Restored{Cluster: "prod", Expired: n}, err
}

func TestBackupStream(t *testing.T) {
	f := &fakeNode{}
	path := serve(t, f)
	c := api.NewClient(path, "n1")
	read := func() (int, error) {
		from, err := c.Save()
		if err != nil {
			return 0, err
		}
		defer from.Close()
		all, err := io.ReadAll(from)
		return len(all), err
	}
	if n, err := read(); n != backupSize || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	f.err = errors.New("the disk is on fire")
	if n, err := read(); err == nil || !strings.Contains(err.Error(), "the node has not written all of it") {
		t.Errorf("one that fails in the middle: %d bytes, %v", n, err)
	}
	f.asked, f.err = "fail at once", fmt.Errorf("%w: a user is being restored", api.ErrRefused)
	if n, err := read(); n != 0 || !errors.Is(err, api.ErrRefused) || !strings.Contains(err.Error(), "a user is being restored") {
		t.Errorf("one that is refused: %d bytes, %v", n, err)
	}
	f.err = nil
	done, err := api.NoteBackup.Do(c, api.BackupNote{Time: 7})
	if err != nil || done.Said != "did note 7" {
		t.Errorf("%+v, %v", done, err)
	}
	if _, err := api.NoteBackup.Do(c, api.BackupNote{}); err == nil {
		t.Error("a backup of no time was noted")
	}
	if _, err := api.NewClient(path, "n2").Save(); err == nil || !strings.Contains(err.Error(), "this is the socket of n1") {
		t.Errorf("of another node: %v", err)
	}
}

func TestRestoreStream(t *testing.T) {
	f := &fakeNode{}
	path := serve(t, f)
	c := api.NewClient(path, "n1")
	q := api.RestoreRequest{User: "al&ice=", Replace: true, Check: true}
	send := func() (api.Restored, error) { return c.Restore(bytes.NewReader(make([]byte, backupSize)), q) }
	done, err := send()
	if err != nil || done.Cluster != "prod" || done.Expired != backupSize || f.asked != fmt.Sprintf("restore %+v", q) {
		t.Errorf("%+v, %v, asked %q", done, err, f.asked)
	}
	for _, is := range []error{api.ErrRefused, api.ErrNoLeader} {
		f.err = fmt.Errorf("%w: it does not fit", is)
		if _, err := send(); !errors.Is(err, is) || !strings.Contains(err.Error(), "it does not fit") {
			t.Errorf("an error before all was read: %v", err)
		}
	}
	f.err, f.asked = nil, ""
	if _, err := api.NewClient(path, "n2").Restore(strings.NewReader(""), q); err == nil || f.asked != "" {
		t.Errorf("of another node: %v", err)
	}
}

// A stream may take longer than any call, whatever the node waits for meanwhile.
func TestStreamsTakeTheirTime(t *testing.T) {
	t.Parallel()
	slow := 2*api.Timeout + time.Second // longer than the server gives other answers, too
	c, other := api.NewClient(serve(t, &fakeNode{slow: slow}), "n1"), api.NewClient(serve(t, &fakeNode{slow: slow}), "n1")
	saved := make(chan error, 1)
	go func() {
		from, err := other.Save()
		if err == nil {
			_, err = io.Copy(io.Discard, from)
			err = errors.Join(err, from.Close())
		}
		saved <- err
	}()
	if done, err := c.Restore(bytes.NewReader(make([]byte, backupSize)), api.RestoreRequest{}); err != nil || done.Expired != backupSize {
		t.Errorf("restore: %+v, %v", done, err)
	}
	if err := <-saved; err != nil {
		t.Errorf("backup: %v", err)
	}
}

// What is no request of ours is refused, so that a flag of a later release is never overlooked.
func TestRestoreRequests(t *testing.T) {
	for _, q := range []api.RestoreRequest{{}, {User: "a b"}, {Replace: true}, {Partial: true, Check: true}} {
		if got, err := api.ParseRestore(q.Query()); err != nil || got != q {
			t.Errorf("%+v became %+v, %v", q, got, err)
		}
	}
	for _, bad := range []string{"user=a&user=b", "replace=perhaps", "later=true"} {
		v, _ := url.ParseQuery(bad)
		if _, err := api.ParseRestore(v); err == nil {
			t.Errorf("%s is a request", bad)
		}
	}
}
