package boltfile_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"

	"ciderd/internal/storage/boltfile"
	"ciderd/test/norace"
)

// The layout of a page, as bbolt has it.
const (
	header   = 16
	metaSize = 80
	branch   = 1
	leaf     = 2
)

// database makes one with a bucket that is a tree, one with a single element on a page of its own, a small one inside the
// root's page, and an empty one.
func database(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "db")
	options := &bbolt.Options{NoFreelistSync: true}
	from, err := bbolt.Open(path+".first", 0o600, options)
	if err != nil {
		t.Fatal(err)
	}
	err = from.Update(func(tx *bbolt.Tx) error {
		large, err1 := tx.CreateBucket([]byte("large"))
		small, err2 := tx.CreateBucket([]byte("small"))
		single, err3 := tx.CreateBucket([]byte("single"))
		_, err4 := tx.CreateBucket([]byte("empty"))
		err := errors.Join(err1, err2, err3, err4)
		for i := 0; i < 90 && err == nil; i++ { // some values are longer than a page
			err = large.Put(fmt.Appendf(nil, "%04d", i), bytes.Repeat([]byte("v"), 50+i%9*600))
		}
		return errors.Join(err, small.Put([]byte("k"), []byte("v")), single.Put([]byte("k"), bytes.Repeat([]byte("v"), 3000)))
	})
	to, err2 := bbolt.Open(path, 0o600, options)
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(bbolt.Compact(to, from, 0), from.Close(), to.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// check writes a file with the text and checks that.
func check(t *testing.T, text []byte) error {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return boltfile.Check(path)
}

// wantDamage wants check to find something damaged.
func wantDamage(t *testing.T, text []byte, what string) {
	t.Helper()
	var damage *boltfile.DamageError
	if err := check(t, text); !errors.As(err, &damage) {
		t.Errorf("%s: %v, want damage", what, err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// pages are where the pages of a kind begin.
func pages(text []byte, kind uint16) (at []int) {
	for page := 2 * os.Getpagesize(); page < len(text); page += os.Getpagesize() {
		number := binary.NativeEndian.Uint64(text[page:])
		count := binary.NativeEndian.Uint16(text[page+10:]) // 0: bbolt's first page, which is free since
		if number == uint64(page/os.Getpagesize()) && binary.NativeEndian.Uint16(text[page+8:]) == kind && count > 0 {
			at = append(at, page)
		}
	}
	return at
}

func TestWhatBboltWrites(t *testing.T) {
	path := database(t)
	if err := boltfile.Check(path); err != nil {
		t.Error(err)
	}
	text := read(t, path)
	if len(pages(text, branch)) == 0 || len(pages(text, leaf)) < 10 {
		t.Errorf("it is no tree: %d branches, %d leaves", len(pages(text, branch)), len(pages(text, leaf)))
	}
	if err := check(t, append(text, make([]byte, 3*os.Getpagesize())...)); err != nil {
		t.Errorf("longer than what is in use: %v", err)
	}
	if err := boltfile.Check(path + ".none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// A bit of either meta page is never passed over, but for those that mean nothing there.
func TestMetaPages(t *testing.T) {
	norace.Alone(t)
	text := read(t, database(t))
	for page := range 2 {
		for at := range metaSize {
			if at >= 10 && at < header {
				continue // a meta page has no elements, and no pages behind it
			}
			flipped := bytes.Clone(text)
			flipped[page*os.Getpagesize()+at] ^= 1 << (at % 8)
			wantDamage(t, flipped, fmt.Sprintf("byte %d of meta page %d", at, page))
		}
	}
	swapped := bytes.Clone(text)
	copy(swapped, text[os.Getpagesize():2*os.Getpagesize()])
	wantDamage(t, swapped, "the other meta page in the first one's place")
}

func TestEnds(t *testing.T) {
	text := read(t, database(t))
	for _, size := range []int{0, metaSize - 1, os.Getpagesize(), 2 * os.Getpagesize(), len(text) / 2} {
		wantDamage(t, text[:size], fmt.Sprintf("%d bytes", size))
	}
}

// Of each page: its number, its kind, one element less, more pages behind it than there are.
func TestHeaders(t *testing.T) {
	norace.Alone(t)
	text := read(t, database(t))
	for _, page := range append(pages(text, branch), pages(text, leaf)...) {
		count := binary.NativeEndian.Uint16(text[page+10:])
		for what, change := range map[string]func(p []byte){
			"number":          func(p []byte) { p[0] ^= 1 },
			"kind":            func(p []byte) { p[8] ^= branch | leaf },
			"count":           func(p []byte) { binary.NativeEndian.PutUint16(p[10:], count-1) },
			"pages behind it": func(p []byte) { binary.NativeEndian.PutUint32(p[12:], 1<<20) },
		} {
			if what == "count" && count == 1 && text[page+8] == leaf {
				continue // see TestLastElement
			}
			changed := bytes.Clone(text)
			change(changed[page:])
			wantDamage(t, changed, fmt.Sprintf("%s of the page at %d", what, page))
		}
	}
}

// A page that had one element and has none is noticed too.
func TestLastElement(t *testing.T) {
	text := read(t, database(t))
	tried := 0
	for _, page := range pages(text, leaf) {
		if binary.NativeEndian.Uint16(text[page+10:]) == 1 {
			changed := bytes.Clone(text)
			binary.NativeEndian.PutUint16(changed[page+10:], 0)
			wantDamage(t, changed, fmt.Sprintf("no element in the page at %d", page))
			tried++
		}
	}
	if tried == 0 {
		t.Error("no page has one element")
	}
}

// A page that has become its own child, and one that two have for a child.
func TestCircles(t *testing.T) {
	text := read(t, database(t))
	for _, page := range pages(text, branch) {
		child := page + header + 8 // of the first element
		circle := bytes.Clone(text)
		copy(circle[child:], text[page:page+8])
		wantDamage(t, circle, "its own child")
		if binary.NativeEndian.Uint16(text[page+10:]) > 1 {
			twice := bytes.Clone(text)
			copy(twice[child:], text[child+header:child+header+8])
			wantDamage(t, twice, "a child twice")
		}
	}
}

// Keys and values stand where bbolt puts them: a bit of an element's place or length is noticed.
func TestElements(t *testing.T) {
	norace.Alone(t)
	text := read(t, database(t))
	for _, page := range pages(text, leaf) {
		if binary.NativeEndian.Uint16(text[page+10:]) == 1 {
			continue // nothing else tells how long the last element is
		}
		for at := page + header; at < page+2*header; at++ {
			flipped := bytes.Clone(text)
			flipped[at] ^= 1
			wantDamage(t, flipped, fmt.Sprintf("byte %d of the first element of the page at %d", at-page-header, page))
		}
	}
}

func TestUsed(t *testing.T) {
	path := database(t)
	text := read(t, path)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	used, err := boltfile.Used(f)
	if err != nil || used <= 0 || used > int64(len(text)) {
		t.Fatalf("%d of %d bytes, %v", used, len(text), err)
	}
	// Cut off there it is whole, and a byte less is too little.
	if err := check(t, text[:used]); err != nil {
		t.Error(err)
	}
	wantDamage(t, text[:used-1], "a byte less")
}
