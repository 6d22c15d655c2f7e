package bundle

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"runtime/debug"

	"ciderd/internal/machine"
	"ciderd/internal/report"
)

// machineFiles are what the kernel tells of the machine and of this process. The environment is not among them.
var machineFiles = []string{
	"proc/version", "proc/loadavg", "proc/meminfo", "proc/pressure/cpu", "proc/pressure/io", "proc/pressure/memory",
	"proc/self/cgroup", "proc/self/limits", "proc/self/status",
}

// machine tells what there is, and what the process may have of it.
func (s *Source) machine(_ context.Context, to io.Writer) error {
	fmt.Fprintf(to, "ciderd %s, %s %s/%s, %d processors, GOMAXPROCS %d\n", s.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH,
		runtime.NumCPU(), runtime.GOMAXPROCS(0))
	if m, err := machine.Available(s.Root); err == nil {
		fmt.Fprintf(to, "memory for this process: %s, by %s\n", report.Bytes(m.Bytes), m.From)
	}
	open, most := machine.Files(s.Root)
	fmt.Fprintf(to, "descriptors: %d of %d are open\n", open, most)
	use := machine.Taken(s.Root)
	fmt.Fprintf(to, "memory: anonymous %d, live %d, objects %d, unused %d\n", use.Anonymous, use.Live, use.Objects, use.Unused)
	if built, ok := debug.ReadBuildInfo(); ok {
		fmt.Fprintf(to, "\n%s", built)
	}
	for _, name := range machineFiles {
		if text, err := fs.ReadFile(s.Root, name); err == nil {
			fmt.Fprintf(to, "\n== /%s\n%s", name, text)
		}
	}
	return nil
}
