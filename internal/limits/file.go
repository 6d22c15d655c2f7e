package limits

import (
	"fmt"

	"ciderd/internal/fsm"
)

// Auto as File.MaxMemory is half of the memory of the smallest node, as it is when the limit is taken over.
const Auto = -1

// File is what a node's file says of limits.
type File struct {
	MaxMemory int64 // bytes; 0: none; Auto
	Reject    bool
	Quota     int64 // bytes; 0: none
}

// unsaid is what a file of a release without limits says.
var unsaid = File{MaxMemory: Auto}

// String prints the file's values, as the file could say them.
func (f File) String() string {
	full := "evict"
	if f.Reject {
		full = "reject"
	}
	return fmt.Sprintf("max_memory = %s, when_full = %s, quota = %s", Size(f.MaxMemory), full, Size(f.Quota))
}

// Node is what one node says.
type Node struct {
	Name    string
	File    *File // nil: not known
	Machine int64 // how much memory there is for its process, in bytes; 0: not known
}

// Notices returns what an operator should know: that there is no limit, that a file says something else, that a node is
// too small.
func Notices(nodes []Node, l fsm.Limits, set bool) (all []string) {
	if !set {
		return []string{"no limit on memory has been set: set limits.max_memory in a node's file, and send it SIGHUP"}
	}
	for _, n := range nodes {
		if n.File != nil && n.File.differs(l) {
			all = append(all, fmt.Sprintf("%s: its file says %v; the cluster has %v", n.Name, n.File, fileOf(l)))
		}
		if need := l.MaxMemory + l.MaxMemory/2; n.Machine > 0 && n.Machine < need {
			all = append(all, fmt.Sprintf("%s: it has %s of memory, and the limit of %s takes up to %s",
				n.Name, about(n.Machine), Size(l.MaxMemory), about(need)))
		}
	}
	return all
}

// about prints a number of bytes, rounded.
func about(bytes int64) string { return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30)) }

// Size prints a number of bytes in the largest unit that divides it.
func Size(bytes int64) string {
	switch {
	case bytes == Auto:
		return "auto"
	case bytes == 0:
		return "none"
	}
	units := []string{"B", "KiB", "MiB", "GiB"}
	for len(units) > 1 && bytes%1024 == 0 {
		bytes, units = bytes/1024, units[1:]
	}
	return fmt.Sprint(bytes) + units[0]
}

// fileOf returns the file that would ask for these limits.
func fileOf(l fsm.Limits) File { return File{MaxMemory: l.MaxMemory, Reject: l.Reject, Quota: l.Quota} }

// differs reports whether the limits in the log are others than a file asks for. Auto was right when it was taken over.
func (f File) differs(l fsm.Limits) bool {
	return f.MaxMemory != Auto && f.MaxMemory != l.MaxMemory || f.Reject != l.Reject || f.Quota != l.Quota
}
