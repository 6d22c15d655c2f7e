package machine

import (
	"runtime"
	"runtime/debug"
	"testing"
	"testing/fstest"
)

// What is allocated and touched is seen; the heap's figures fit each other.
func TestTaken(t *testing.T) {
	root := Root()
	debug.FreeOSMemory()
	before := Taken(root)
	kept := make([][]byte, 64)
	for i := range kept {
		kept[i] = make([]byte, 1<<20)
		for at := 0; at < len(kept[i]); at += 4096 {
			kept[i][at] = 1
		}
	}
	runtime.GC()
	after := Taken(root)
	const most = 64 << 20
	if grown := after.Live - before.Live; grown < most*9/10 || grown > most*11/10 {
		t.Errorf("live has grown by %d for %d", grown, most)
	}
	if grown := after.Objects - before.Objects; grown < most*9/10 {
		t.Errorf("objects have grown by %d for %d", grown, most)
	}
	if runtime.GOOS == "linux" && after.Anonymous-before.Anonymous < most*9/10 {
		t.Errorf("anonymous memory: %d, then %d", before.Anonymous, after.Anonymous)
	}
	runtime.KeepAlive(kept)
}

func TestTakenOfAStatus(t *testing.T) {
	root := fstest.MapFS{"proc/self/status": {Data: []byte("Name:\tciderd\nVmRSS:\t    900 kB\nRssAnon:\t    512 kB\n")}}
	if got := Taken(root).Anonymous; got != 512<<10 {
		t.Errorf("%d", got)
	}
	if got := Taken(fstest.MapFS{}); got.Anonymous != 0 || got.Objects == 0 {
		t.Errorf("without a file: %+v", got)
	}
}

// The machine that the test runs on says something.
func TestThisMachine(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux says how much memory there is")
	}
	m, err := Available(Root())
	if err != nil || m.Bytes < 64<<20 || m.From == "" {
		t.Errorf("%+v, %v", m, err)
	}
	t.Logf("%d MiB by %s", m.Bytes>>20, m.From)
}
