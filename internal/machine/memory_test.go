package machine

import (
	"errors"
	"testing"
	"testing/fstest"
)

// machineWith has 16 GiB and these files.
func machineWith(files map[string]string) fstest.MapFS {
	m := fstest.MapFS{"proc/meminfo": {Data: []byte("MemFree:  1 kB\nMemTotal:       16777216 kB\n")}}
	for name, text := range files {
		m[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return m
}

const (
	mountV2 = "25 1 0:20 / / rw - ext4 /dev/sda rw\n30 25 0:27 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n"
	mountV1 = "36 35 0:28 /docker/1 /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n37 35 0:29 /docker/1 /sys/fs/cgroup/memory ro master:9 - cgroup cgroup rw,memory\n"
	limits  = "Limit                     Soft Limit           Hard Limit           Units     \n" +
		"Max data size             unlimited            unlimited            bytes     \n" +
		"Max address space         8589934592           unlimited            bytes     \n"
)

func TestAvailable(t *testing.T) {
	const gib = 1 << 30
	for name, c := range map[string]struct {
		files map[string]string
		want  Memory
	}{
		"the machine": {nil, Memory{16 * gib, "MemTotal"}},
		"no limit": {map[string]string{
			"proc/self/cgroup": "0::/a/b\n", "proc/self/mountinfo": mountV2, "sys/fs/cgroup/a/b/memory.max": "max\n",
		}, Memory{16 * gib, "MemTotal"}},
		"own group": {map[string]string{
			"proc/self/cgroup": "0::/a/b\n", "proc/self/mountinfo": mountV2, "sys/fs/cgroup/a/b/memory.max": "1073741824\n",
			"sys/fs/cgroup/a/memory.max": "2147483648\n",
		}, Memory{gib, "/sys/fs/cgroup/a/b/memory.max"}},
		"a group around it": {map[string]string{
			"proc/self/cgroup": "0::/a/b\n", "proc/self/mountinfo": mountV2, "sys/fs/cgroup/a/b/memory.max": "max\n",
			"sys/fs/cgroup/a/memory.max": "2147483648\n", "sys/fs/cgroup/c/memory.max": "4096\n",
		}, Memory{2 * gib, "/sys/fs/cgroup/a/memory.max"}},
		"throttled": {map[string]string{
			"proc/self/cgroup": "0::/a\n", "proc/self/mountinfo": mountV2, "sys/fs/cgroup/a/memory.max": "2147483648\n",
			"sys/fs/cgroup/a/memory.high": "1073741824\n",
		}, Memory{gib, "/sys/fs/cgroup/a/memory.high"}},
		"a container of version 2": {map[string]string{ // it sees its own group as the root
			"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": mountV2, "sys/fs/cgroup/memory.max": "3221225472\n",
		}, Memory{3 * gib, "/sys/fs/cgroup/memory.max"}},
		"outside of its own view": {map[string]string{
			"proc/self/cgroup": "0::/../other\n", "proc/self/mountinfo": "30 25 0:27 /host/1 /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
			"sys/fs/cgroup/memory.max": "3221225472\n",
		}, Memory{3 * gib, "/sys/fs/cgroup/memory.max"}},
		"a container of version 1": {map[string]string{
			"proc/self/cgroup": "5:cpu:/docker/1\n4:memory,hugetlb:/docker/1\n0::/docker/1\n", "proc/self/mountinfo": mountV1,
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "1073741824\n", "sys/fs/cgroup/cpu/memory.limit_in_bytes": "4096\n",
		}, Memory{gib, "/sys/fs/cgroup/memory/memory.limit_in_bytes"}},
		"version 1 below what is mounted": {map[string]string{
			"proc/self/cgroup": "4:memory:/docker/1/x\n", "proc/self/mountinfo": mountV1,
			"sys/fs/cgroup/memory/memory.limit_in_bytes":   "9223372036854771712\n",
			"sys/fs/cgroup/memory/x/memory.limit_in_bytes": "1073741824\n",
		}, Memory{gib, "/sys/fs/cgroup/memory/x/memory.limit_in_bytes"}},
		"a group that only begins alike": {map[string]string{
			"proc/self/cgroup": "4:memory:/docker/12\n", "proc/self/mountinfo": mountV1,
			"sys/fs/cgroup/memory/2/memory.limit_in_bytes": "4096\n",
		}, Memory{16 * gib, "MemTotal"}},
		"a resource limit": {map[string]string{"proc/self/limits": limits}, Memory{8 * gib, "RLIMIT_AS"}},
		"the least of all": {map[string]string{
			"proc/self/limits": limits, "proc/self/cgroup": "0::/a\n", "proc/self/mountinfo": mountV2,
			"sys/fs/cgroup/a/memory.max": "1073741824\n",
		}, Memory{gib, "/sys/fs/cgroup/a/memory.max"}},
		"nonsense": {map[string]string{
			"proc/self/cgroup": "0\n\n:::\n0::a\n1:memory:\n", "proc/self/mountinfo": "a - b\n - \n" + mountV2 + mountV1,
			"proc/self/limits": "Max data size\nMax address space -1", "sys/fs/cgroup/memory.max": "4096",
		}, Memory{16 * gib, "MemTotal"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Available(machineWith(c.files))
			if err != nil || got != c.want {
				t.Errorf("%+v %v, want %+v", got, err, c.want)
			}
		})
	}
}

func TestUnknown(t *testing.T) {
	for name, m := range map[string]fstest.MapFS{
		"no files":    {},
		"no total":    {"proc/meminfo": {Data: []byte("MemFree: 5 kB\n")}},
		"no number":   {"proc/meminfo": {Data: []byte("MemTotal: many kB\n")}},
		"another one": {"proc/meminfo": {Data: []byte("MemTotal: 5 MB\n")}},
		"too large":   {"proc/meminfo": {Data: []byte("MemTotal: 9223372036854775807 kB\n")}},
	} {
		if got, err := Available(m); !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}
