package storage

import (
	"fmt"
	"testing"

	"github.com/hashicorp/raft"
)

// What the watchdog costs a write: by itself, and beside the write, with other goroutines that want the
// processors.
func BenchmarkWatched(b *testing.B) {
	w := newWatchdog(func(err error) { b.Error(err) })
	defer w.close()
	for b.Loop() {
		w.end(w.begin("nothing"))
	}
}

func BenchmarkStoreLog(b *testing.B) {
	for _, busy := range []int{0, 8} {
		b.Run(fmt.Sprintf("busy=%d", busy), func(b *testing.B) {
			s, err := Open(b.TempDir(), quiet(), func(err error) { b.Error(err) })
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			stop := make(chan struct{})
			defer close(stop)
			for range busy {
				go spin(stop)
			}
			data, index := make([]byte, 1<<10), uint64(0)
			for b.Loop() {
				index++
				if err := s.Logs.StoreLog(&raft.Log{Index: index, Term: 1, Data: data}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// spin works in small pieces, as sessions do.
func spin(stop <-chan struct{}) {
	work := make(chan int)
	go func() {
		for n := range work {
			for range n {
			}
		}
	}()
	defer close(work)
	for {
		select {
		case <-stop:
			return
		case work <- 20000:
		}
	}
}
