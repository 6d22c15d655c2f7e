// Package overlay builds the program with changes that are for tests alone: a planted bug, a wall clock that
// can be moved, other timeouts. The changed files lie in a temporary directory, and go build -overlay puts
// them in the place of the real ones.
//
// It owns the form of such a change, and those that more than one test wants. It promises that a change which
// no longer fits the sources fails the build, by its name, and that the sources stay as they are. It never
// knows what a change is good for.
package overlay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Change is one thing that the program does otherwise. Its edits are made in their order, after those of the
// changes before it.
type Change struct {
	Name  string
	Does  string // what it makes the program do, for readers
	Edits []Edit
	Adds  []File
}

// Edit puts Put in the place of Find, which must stand in File exactly once. An edit is preferred to a copy
// of a file, which would go stale in silence.
type Edit struct {
	File      string // from the module's root, with slashes
	Find, Put string
}

// File is a file of the program or its tests that only a Change brings.
type File struct {
	Path string // from the module's root, with slashes
	Text string
}

// Go runs the go command in root, on sources with the changes, and returns all that it printed, which is
// part of the error as well. The verb is one that takes -overlay: build, test, vet.
func Go(ctx context.Context, root string, changes []Change, verb string, args ...string) (output string, err error) {
	dir, err := os.MkdirTemp("", "ciderd-overlay-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	config, err := Write(root, dir, changes...)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", append([]string{verb, "-overlay", config}, args...)...)
	cmd.Dir = root
	text, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("go %s%s: %w\n%s", verb, with(changes), err, text)
	}
	return string(text), err
}

func with(changes []Change) string {
	if len(changes) == 0 {
		return ""
	}
	var names []string
	for _, c := range changes {
		names = append(names, c.Name)
	}
	return " with " + strings.Join(names, ", ")
}

// Write writes the changed files into dir and returns the path of the file there that -overlay takes. The
// module is at root.
func Write(root, dir string, changes ...Change) (config string, err error) {
	if root, err = filepath.Abs(root); err != nil {
		return "", err
	}
	texts, err := apply(root, changes)
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	for path, text := range texts {
		place := filepath.Join(dir, filepath.FromSlash(path))
		if err := write(place, []byte(text)); err != nil {
			return "", err
		}
		replace[filepath.Join(root, filepath.FromSlash(path))] = place
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	config = filepath.Join(dir, "overlay.json")
	return config, write(config, list)
}

func write(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o666)
}

// apply returns the text of each file that the changes touch, by its path.
func apply(root string, changes []Change) (map[string]string, error) {
	texts := map[string]string{}
	for _, c := range changes {
		for _, e := range c.Edits {
			text, err := e.in(root, texts)
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", c.Name, e.File, err)
			}
			texts[e.File] = text
		}
		for _, f := range c.Adds {
			if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(f.Path))); err == nil || texts[f.Path] != "" {
				return nil, fmt.Errorf("%s: %s: there is such a file", c.Name, f.Path)
			}
			texts[f.Path] = f.Text
		}
	}
	return texts, nil
}

// in makes the edit, in what earlier ones have left of the file.
func (e Edit) in(root string, texts map[string]string) (string, error) {
	text, edited := texts[e.File]
	if !edited {
		b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(e.File)))
		if err != nil {
			return "", err
		}
		text = string(b)
	}
	if n := strings.Count(text, e.Find); n != 1 {
		return "", fmt.Errorf("what it changes stands there %d times, not once:\n%s", n, e.Find)
	}
	return strings.Replace(text, e.Find, e.Put, 1), nil
}
