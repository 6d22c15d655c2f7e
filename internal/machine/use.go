package machine

import (
	"io/fs"
	"runtime/metrics"
)

// Use is how much memory the process takes, in bytes.
type Use struct {
	// Anonymous is its resident memory that no file stands behind, swapped pages not counted; 0: not known.
	Anonymous int64
	// Live is what the last garbage collection found to be in use.
	Live int64
	// Objects is what has been allocated and not been freed: Live, what is new since, and garbage not swept yet.
	Objects int64
	// Unused is what lies between objects, kept for others of the same size: the heap's fragmentation.
	Unused int64
}

// Taken returns what this process takes now. It does not stop the world.
func Taken(root fs.FS) Use {
	samples := [...]metrics.Sample{
		{Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
	}
	metrics.Read(samples[:])
	u := Use{Live: count(&samples[0]), Objects: count(&samples[1]), Unused: count(&samples[2])}
	if text, err := fs.ReadFile(root, "proc/self/status"); err == nil {
		u.Anonymous = kilobytes(text, "RssAnon:")
	}
	return u
}

// Collections returns how many garbage collections there have been in this process.
func Collections() uint64 {
	samples := [...]metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}}
	metrics.Read(samples[:])
	return uint64(count(&samples[0]))
}

// count returns a sample's value; 0 if this runtime does not know it.
func count(s *metrics.Sample) int64 {
	if s.Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return int64(s.Value.Uint64())
}
