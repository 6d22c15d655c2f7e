//go:build !linux

package journal

import "os"

func syncContents(f *os.File) error { return f.Sync() }
