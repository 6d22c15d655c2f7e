package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// About says where, when and how it was measured.
type About struct {
	Date       string
	Minutes    float64
	Command    string
	Processor  string
	Processors int
	MemoryGiB  int
	Kernel     string
	FileSystem string
	// Sync is how many milliseconds it takes to append 4 KiB to a written file and sync that, half of the times at most.
	Sync     float64
	Versions []string
	LeftOut  []string `json:",omitempty"`
	Settings settings
}

func facts(s *settings) (a About, err error) {
	a = About{
		Date: time.Now().UTC().Format(time.DateOnly), Processors: runtime.NumCPU(), Processor: lineOf("/proc/cpuinfo", "model name"),
		Command: "make compare", Settings: *s, FileSystem: fileSystem(s.dir),
	}
	for _, name := range []string{"SECS", "ROUNDS", "KILLS", "KEYS"} {
		if v := os.Getenv(name); v != "" {
			a.Command += " " + name + "=" + v
		}
	}
	var info syscall.Sysinfo_t
	if err := syscall.Sysinfo(&info); err != nil {
		return a, err
	}
	a.MemoryGiB = int((uint64(info.Totalram)*uint64(info.Unit) + 1<<29) >> 30)
	a.Kernel = output("uname", "-sr")
	a.Versions = append(a.Versions, output(s.binary, "version"))
	for _, v := range [][]string{{"redis-server", "--version"}, {"memcached", "--version"}, {"etcd", "--version"}} {
		if line := output(v[0], v[1:]...); line != "" {
			a.Versions = append(a.Versions, strings.NewReplacer(" server v=", " ", " Version:", "").Replace(strings.SplitN(line, " sha=", 2)[0]))
		}
	}
	a.Sync, err = syncTime(s.dir)
	return a, err
}

// output is the first line that a program prints; empty: it does not run.
func output(name string, args ...string) string {
	text, err := exec.Command(name, args...).Output()
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(line)
}

// lineOf is what a file says of a name.
func lineOf(path, name string) string {
	f, err := os.Open(path)
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	for in := bufio.NewScanner(f); in.Scan(); {
		if key, value, ok := strings.Cut(in.Text(), ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// fileSystem names what a directory is on: on tmpfs there is no disk to wait for.
func fileSystem(dir string) string {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return "unknown"
	}
	names := map[int64]string{0xef53: "ext4", 0x58465342: "xfs", 0x01021994: "tmpfs", 0x9123683e: "btrfs", 0x794c7630: "overlayfs"}
	if name, known := names[int64(s.Type)]; known {
		return name
	}
	return fmt.Sprintf("%#x", s.Type)
}

// syncTime is the median, in milliseconds, of what a small synced write takes.
func syncTime(dir string) (float64, error) {
	const times, size = 200, 4096
	f, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if _, err := f.Write(make([]byte, times*size)); err != nil {
		return 0, err
	}
	if err := f.Sync(); err != nil {
		return 0, err
	}
	var took []time.Duration
	for i := range times {
		begun := time.Now()
		if _, err := f.WriteAt(make([]byte, size), int64(i*size)); err != nil {
			return 0, err
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			return 0, err
		}
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	return float64(took[times/2].Microseconds()) / 1000, nil
}
