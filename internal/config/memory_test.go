package config

import "testing"

// What String prints is read as the same again; words and sizes are never taken for each other.
func TestMemory(t *testing.T) {
	const key = "limits.max_memory"
	for text, want := range map[string]Memory{
		"auto": MemoryAuto, "none": MemoryNone, "16MiB": 16 << 20, "2GiB": 2 << 30, "1000001KB": 1_000_001_000, "65536GiB": 1 << 46,
	} {
		c := mustLoad(t, machineOf("a", nil), inBlock(one, *settingBy(key), text))
		if c.Limits.MaxMemory != want {
			t.Errorf("%q is %d, want %d", text, c.Limits.MaxMemory, want)
		}
		again := mustLoad(t, machineOf("a", nil), inBlock(one, *settingBy(key), c.Limits.MaxMemory.String()))
		if again.Limits.MaxMemory != want {
			t.Errorf("%q is printed as %q", text, c.Limits.MaxMemory)
		}
	}
	l := mustLoad(t, machineOf("a", nil), one).Limits
	if l.MaxMemory != MemoryAuto || l.RejectWhenFull || l.Quota != MemoryNone {
		t.Errorf("defaults: %v, reject %v, quota %v", l.MaxMemory, l.RejectWhenFull, l.Quota)
	}
}
