package journal

import (
	"time"

	"github.com/hashicorp/raft"
)

// The mover is a goroutine that puts entries from the journal into the store. It works in rounds: a move, and the renewal
// of the files that have become empty by it.

func (j *Journal) startMover() {
	j.changed.L = &j.mu
	j.moverRan.Go(j.move)
}

func (j *Journal) move() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.awaitRound() {
		j.busy = true
		j.failure = j.doRound()
		j.busy = false
		j.rounds++
		j.changed.Broadcast()
	}
}

// awaitRound returns when there is something to do; false: the journal is closed. mu is held, but not meanwhile.
func (j *Journal) awaitRound() bool {
	var alarm *time.Timer // for the time that entries may wait
	defer func() {
		if alarm != nil {
			alarm.Stop()
		}
	}()
	for !j.closing {
		due := time.Duration(-1) // until there is something to do without being asked; negative: nothing is coming
		switch {
		case j.paused:
		case j.want > j.rounds:
			return true
		case j.failure != nil:
			due = retryAfter
		case j.bytes >= moveFrom || len(j.files) > 1:
			return true
		case len(j.waiting) > 0:
			due = max(moveAfter-time.Since(j.since), 0)
		}
		if due == 0 {
			return true
		}
		if due > 0 && alarm == nil {
			alarm = time.AfterFunc(due, func() {
				j.mu.Lock()
				defer j.mu.Unlock()
				j.want = max(j.want, j.rounds+1)
				j.changed.Broadcast()
			})
		}
		j.changed.Wait()
	}
	return false
}

// doRound moves entries, and renews the files that have none left. mu is held, but not meanwhile.
func (j *Journal) doRound() error {
	if batch, size := j.batch(); len(batch) > 0 {
		j.mu.Unlock()
		err := j.store.StoreLogs(batch)
		j.mu.Lock()
		if err != nil {
			return err
		}
		j.drop(len(batch), size)
	}
	return j.renewMoved()
}

// batch returns the oldest entries, most bytes of them at most, but one at least.
func (j *Journal) batch() (batch []*raft.Log, size int64) {
	n := 0
	for ; n < len(j.waiting); n++ {
		more := recordSize(j.waiting[n])
		if n > 0 && size+more > j.most {
			break
		}
		size += more
	}
	return j.waiting[:n:n], size
}

// drop forgets entries that are in the store.
func (j *Journal) drop(n int, size int64) {
	clear(j.waiting[:n])
	if j.waiting = j.waiting[n:]; len(j.waiting) == 0 {
		j.waiting = nil
	}
	j.bytes -= size
	j.since = time.Now()
}

// renewMoved renews the full files whose entries are all in the store.
func (j *Journal) renewMoved() error {
	for len(j.files) > 1 {
		f := j.files[0]
		moved := j.last
		if len(j.waiting) > 0 {
			moved = j.waiting[0].Index - 1
		}
		if f.last > moved {
			return nil
		}
		j.files = j.files[1:]
		j.mu.Unlock()
		err := j.disk("emptying the journal", func() error { return f.renew(moved) })
		j.mu.Lock()
		if err != nil {
			j.files = append([]*file{f}, j.files...)
			return err
		}
		f.last = 0
		j.free = append(j.free, f)
		j.changed.Broadcast()
	}
	return nil
}
