package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"ciderd/test/norace"
)

var someHead = Head{Release: "1.2.3", Cluster: "prod", Node: "n1", Time: 1_700_000_000_000, Entries: 6}

// some is a backup of two users, and what a visitor is told of it.
func some(tb testing.TB, items int) (file []byte, told []string) {
	tb.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, someHead)
	if err != nil {
		tb.Fatal(err)
	}
	users := []User{
		{Name: []byte("alice"), Hash: []byte("hash"), Locked: true, Quota: 5, Reserve: 1 << 40, Version: math.MaxUint64},
		{Name: []byte("bob")},
	}
	want := someHead
	want.Format = format
	told = append(told, fmt.Sprint(want))
	for n := range users {
		told = append(told, fmt.Sprint(users[n]))
		err = errors.Join(err, w.User(&users[n]))
		for i := range items {
			r := Reply{ID: fmt.Append(nil, "id", i), At: int64(i), Kind: uint8(i), N: int64(-i)}
			item := Item{Key: fmt.Append(nil, "k", i), Value: bytes.Repeat([]byte("v"), i%500), Deadline: int64(i % 3)}
			told = append(told, fmt.Sprint(r), fmt.Sprint(item))
			err = errors.Join(err, w.Reply(&r), w.Item(&item))
		}
	}
	totals, closing := w.Close()
	if err = errors.Join(err, closing); err != nil || totals.Users != 2 || totals.Items != int64(2*items) {
		tb.Fatal(totals, err)
	}
	if _, err := w.Close(); err == nil {
		tb.Error("it was closed twice")
	}
	return out.Bytes(), told
}

// visited reads a file, and returns what it tells.
func visited(file []byte) (told []string, totals Totals, err error) {
	note := func(v any) error {
		told = append(told, fmt.Sprint(v))
		return nil
	}
	_, totals, err = Read(bytes.NewReader(file), "1.2.3", Visitor{
		Head: func(h Head) error { return note(h) }, User: func(u User) error { return note(u) },
		Reply: func(r Reply) error { return note(r) }, Item: func(i Item) error { return note(i) },
	})
	return told, totals, err
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	norace.Alone(t)
	for _, items := range []int{0, 3, 5000} {
		file, want := some(t, items)
		got, totals, err := visited(file)
		if err != nil || !slices.Equal(got, want) || totals.Replies != int64(2*items) {
			t.Errorf("%d items: %v, %+v; told %d things, want %d", items, err, totals, len(got), len(want))
		}
		if head, _, err := Read(bytes.NewReader(file), "1.2.3", Visitor{}); err != nil || head.Cluster != "prod" {
			t.Errorf("%+v, %v", head, err)
		}
	}
}

// The largest record has a chunk of its own, and is read.
func TestLargeItems(t *testing.T) {
	norace.Alone(t)
	var out bytes.Buffer
	w, _ := NewWriter(&out, someHead)
	item := Item{Key: bytes.Repeat([]byte("k"), maxKey), Value: bytes.Repeat([]byte("0123456789abcdef"), maxValue/16)}
	_ = w.User(&User{Name: []byte("alice")})
	for range 3 {
		if err := w.Item(&item); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, totals, err := visited(out.Bytes()); err != nil || totals.Bytes != 3*(maxKey+maxValue) {
		t.Errorf("%+v, %v", totals, err)
	}
}

// No byte can be another one, be missing or be too much.
func TestDamage(t *testing.T) {
	file, _ := some(t, 4)
	for at := range file {
		flipped := slices.Clone(file)
		flipped[at] ^= 1 << (at % 8)
		if _, _, err := visited(flipped); err == nil {
			t.Errorf("byte %d is another one, and nobody sees it", at)
		}
		if _, _, err := visited(file[:at]); !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrForeign) {
			t.Errorf("cut at %d: %v", at, err)
		}
	}
	if _, _, err := visited(append(slices.Clone(file), 0)); !errors.Is(err, ErrDamaged) {
		t.Errorf("something behind its end: %v", err)
	}
	for _, foreign := range []string{"", "#!/bin/sh", strings.Repeat("x", 100_000)} {
		if _, _, err := visited([]byte(foreign)); !errors.Is(err, ErrForeign) {
			t.Errorf("%.9q: %v", foreign, err)
		}
	}
}

// A file of a later format says what to install.
func TestLaterFormat(t *testing.T) {
	_, _, err := visited(append(sealed(format+1, "9.9.9"), "whatever it has"...))
	if err == nil || errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "install ciderd 9.9.9 or later") {
		t.Error(err)
	}
}

// Errors of others are theirs: a disk that cannot be read is no damage of the file.
func TestErrorsOfOthers(t *testing.T) {
	file, _ := some(t, 10)
	broken := errors.New("input/output error")
	for _, n := range []int{0, 5, 100, len(file) - 1} {
		r := io.MultiReader(bytes.NewReader(file[:n]), failing{broken})
		if _, _, err := Read(r, "1", Visitor{}); !errors.Is(err, broken) || errors.Is(err, ErrDamaged) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
	if _, _, err := Read(bytes.NewReader(file), "1", Visitor{Item: func(Item) error { return broken }}); err != broken {
		t.Errorf("of a visitor: %v", err)
	}
	w, err := NewWriter(failingWriter{broken}, someHead)
	if err == nil {
		_, err = w.Close()
	}
	if !errors.Is(err, broken) {
		t.Errorf("of a writer: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

type failingWriter struct{ err error }

func (f failingWriter) Write([]byte) (int, error) { return 0, f.err }

// Whatever is read ends, with an error or with a file that is whole.
func FuzzRead(f *testing.F) {
	file, _ := some(f, 3)
	f.Add(file)
	f.Add(file[:len(file)-40])
	f.Add(sealed(format, "1"))
	f.Fuzz(func(t *testing.T, file []byte) {
		told, totals, err := visited(file)
		if err == nil && int64(len(told)) != 1+totals.Users+totals.Replies+totals.Items {
			t.Errorf("told %d things of %+v", len(told), totals)
		}
	})
}

// FuzzRecords gets past the checksums.
func FuzzRecords(f *testing.F) {
	file, _ := some(f, 3)
	s := source{r: bytes.NewReader(file[len(sealed(format, "1.2.3")):]), sum: noSum{}}
	records, err := s.next()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(bytes.Clone(records))
	f.Fuzz(func(t *testing.T, records []byte) {
		seen := 0
		count := func() error { seen++; return nil }
		b := &reader{visitor: Visitor{
			User: func(u User) error { return count() }, Reply: func(Reply) error { return count() }, Item: func(Item) error { return count() },
		}}
		if err := b.each(records); err == nil && int64(seen) != b.totals.Users+b.totals.Replies+b.totals.Items {
			t.Errorf("told %d things of %+v", seen, b.totals)
		} else if err != nil && !errors.Is(err, ErrDamaged) {
			t.Error(err)
		}
	})
}

// noSum is a hash that is not looked at.
type noSum struct{}

func (noSum) Write(p []byte) (int, error) { return len(p), nil }
func (noSum) Sum(b []byte) []byte         { return b }
func (noSum) Reset()                      {}
func (noSum) Size() int                   { return 0 }
func (noSum) BlockSize() int              { return 1 }
