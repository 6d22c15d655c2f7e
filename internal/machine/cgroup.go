package machine

import (
	"io/fs"
	"path"
	"slices"
	"strings"
)

// hierarchy is a tree of control groups that limits memory, as this process sees it.
type hierarchy struct {
	root  string   // the group that is mounted, as /proc/self/cgroup would name it
	mount string   // where
	files []string // of each group, that may hold a limit
}

// Files of the two versions. Above memory.high the kernel slows a process down until it hardly runs, so that is a
// limit as much as memory.max, at which it is killed.
var (
	filesV1 = []string{"memory.limit_in_bytes"}
	filesV2 = []string{"memory.max", "memory.high"}
)

// groupLimits returns the limits of the control groups that this process is in, and of those around them. There are
// none where the files cannot be read.
func groupLimits(root fs.FS) (all []Memory) {
	groups, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return nil
	}
	v1, v2 := ownGroups(groups)
	for _, h := range hierarchies(root) {
		own := v2
		if slices.Equal(h.files, filesV1) {
			own = v1
		}
		if own != "" {
			all = append(all, h.limits(root, own)...)
		}
	}
	return all
}

// ownGroups returns the groups of the process: the one that has the memory controller of version 1, and the one of
// version 2. "": there is none.
func ownGroups(text []byte) (v1, v2 string) {
	for line := range lines(text) {
		parts := strings.SplitN(line, ":", 3) // 4:memory:/a or 0::/a
		switch {
		case len(parts) != 3 || !strings.HasPrefix(parts[2], "/"):
		case parts[0] == "0" && parts[1] == "":
			v2 = parts[2]
		case slices.Contains(strings.Split(parts[1], ","), "memory"):
			v1 = parts[2]
		}
	}
	return v1, v2
}

// hierarchies finds where groups are mounted.
func hierarchies(root fs.FS) (all []hierarchy) {
	text, err := fs.ReadFile(root, "proc/self/mountinfo")
	if err != nil {
		return nil
	}
	for line := range lines(text) {
		// 36 35 0:28 /docker/1 /sys/fs/cgroup/memory ro shared:9 - cgroup cgroup rw,memory
		mounted, kind, ok := strings.Cut(line, " - ")
		at, what := strings.Fields(mounted), strings.Fields(kind)
		if !ok || len(at) < 5 || len(what) < 3 {
			continue
		}
		h := hierarchy{root: at[3], mount: at[4]}
		switch {
		case what[0] == "cgroup2":
			h.files = filesV2
		case what[0] == "cgroup" && slices.Contains(strings.Split(what[2], ","), "memory"):
			h.files = filesV1
		default:
			continue
		}
		all = append(all, h)
	}
	return all
}

// limits returns those of the group own and of all around it, as far as they are mounted.
func (h *hierarchy) limits(root fs.FS, own string) (all []Memory) {
	below, ok := strings.CutPrefix(own, strings.TrimSuffix(h.root, "/"))
	if !ok || below != "" && below[0] != '/' {
		below = "/" // not below what is mounted here: a container's own view
	}
	for at := path.Clean("/" + below); ; at = path.Dir(at) {
		for _, file := range h.files {
			name := path.Join(h.mount, at, file)
			text, err := fs.ReadFile(root, strings.TrimPrefix(name, "/"))
			if err != nil {
				continue // the root group has none
			}
			if n, set := firstNumber(string(text)); set {
				all = append(all, Memory{n, name})
			}
		}
		if at == "/" {
			return all
		}
	}
}
