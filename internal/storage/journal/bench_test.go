package journal

import (
	"fmt"
	"testing"

	"github.com/hashicorp/raft"
)

// void is a database that takes all and keeps nothing.
type void struct{ last uint64 }

func (v *void) FirstIndex() (uint64, error)      { return min(v.last, 1), nil }
func (v *void) LastIndex() (uint64, error)       { return v.last, nil }
func (v *void) GetLog(uint64, *raft.Log) error   { return raft.ErrLogNotFound }
func (v *void) DeleteRange(_, last uint64) error { return nil }
func (v *void) StoreLogs(logs []*raft.Log) error {
	v.last = logs[len(logs)-1].Index
	return nil
}

// BenchmarkStoreLogs appends to files on a real disk, with its sync; what is moved goes nowhere. An operation is one
// append.
func BenchmarkStoreLogs(b *testing.B) {
	for _, entries := range []int{1, 16} {
		b.Run(fmt.Sprintf("entries=%d", entries), func(b *testing.B) {
			dir, layout := Dir(b.TempDir()), Layout{Files: 4, Size: 2 << 20}
			if err := Create(dir, layout); err != nil {
				b.Fatal(err)
			}
			j, err := Open(dir, &void{}, layout, 0, func(_ string, work func() error) error { return work() })
			if err != nil {
				b.Fatal(err)
			}
			defer j.Close()
			data, index := make([]byte, 1<<10), uint64(0)
			b.SetBytes(int64(entries * len(data)))
			b.ReportAllocs()
			for b.Loop() {
				logs := make([]*raft.Log, entries)
				for i := range logs {
					index++
					logs[i] = &raft.Log{Index: index, Term: 1, Data: data}
				}
				if err := j.StoreLogs(logs); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
