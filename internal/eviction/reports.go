package eviction

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"ciderd/internal/cache"
	"ciderd/internal/fsm"
)

// Reads on one node count on all. Each node tells the others, off the log, which items were read there: lossy, bounded,
// and nobody waits for it. What it does not tell in time counts for nothing; a promise never depends on it.
const (
	reportEvery = 250 * time.Millisecond
	// reportBytes is the most that one tick sends, and messageBytes the most of one report: the nodes take messages of
	// up to 64 KiB, in which a report takes four thirds.
	reportBytes  = 256 << 10
	messageBytes = 46 << 10
	// calmBytes is what a tick sends while nothing is evicted: there is time.
	calmBytes = reportBytes / 4
	// step is how many slots are looked at before the report's size is: with keys of 1 KiB less than messageBytes.
	step = 32
	// roundLeast and roundMost are how long a walk through all items takes, by their number, and by how fast they are
	// evicted: there are roundsAnEpoch in the time in which as many are as there are.
	roundLeast, roundMost = 200 * time.Millisecond, 10 * time.Second
	slotsASecond          = 2_000_000
	roundsAnEpoch         = 8
	// closeTo: below so many percent of the limit nothing will be evicted soon.
	closeTo = 90
)

// Reporter tells the other nodes what is read on this one. Its methods may be called from any goroutine.
type Reporter struct {
	Shares func() fsm.Shares
	// Send has a report sent to all other nodes. It does not wait.
	Send func(ctx context.Context, report []byte)
}

// Run reports until ctx ends.
func (r *Reporter) Run(ctx context.Context) {
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	var w walk
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if s := r.Shares(); nearLimit(s) {
			w.report(s, func(report []byte) { r.Send(ctx, report) })
		}
	}
}

// nearLimit reports whether something may be evicted soon.
func nearLimit(s fsm.Shares) bool {
	limits, _ := s.Limits()
	return !limits.Reject && (s.Quotas() || limits.MaxMemory > 0 && s.Memory() > s.Working()/100*closeTo)
}

// walk goes through the items of all users, a part in each tick.
type walk struct {
	users []uint64 // that are to come in this round, the last one first
	at    cache.Cursor

	pace pace
}

// pace is how fast items are evicted, which is how soon reports are needed. While nothing is evicted, nodes near their
// limit would otherwise look at all items several times a second for nothing.
type pace struct {
	evicted uint64 // as the state counts it, at the last tick
	rate    uint64 // evicted of late, in one tick
}

// next returns how long a round takes from here on, and how many bytes this tick may send.
func (p *pace) next(evicted uint64, items int) (round time.Duration, most int) {
	now := evicted - min(p.evicted, evicted) // a restored state may have counted less
	p.evicted, p.rate = evicted, max(now, p.rate-(p.rate+3)/4)
	if p.rate == 0 {
		return roundMost, calmBytes
	}
	epoch := time.Duration(float64(items) / float64(p.rate) * float64(reportEvery))
	least := max(time.Duration(items)*time.Second/slotsASecond, roundLeast)
	return min(max(epoch/roundsAnEpoch, least), roundMost), reportBytes
}

// report calls send with what was read of the part that comes next, in reports of at most messageBytes each; only the
// items of one step may be more.
func (w *walk) report(s fsm.Shares, send func(report []byte)) {
	round, most := w.pace.next(s.Evicted(), s.Items())
	slots := int(int64(s.Items()+1) * 2 * int64(reportEvery) / int64(round))
	if len(w.users) == 0 {
		s.Each(func(id uint64, _ fsm.Usage) { w.users = append(w.users, id) })
	}
	var out []byte
	sent := 0
	for ; slots > 0 && len(w.users) > 0 && sent+len(out) < most; slots -= step {
		user, before := w.users[len(w.users)-1], len(out)
		if out = w.part(out, s.Keyspace(user), user); len(out) > messageBytes && before > 0 {
			send(out[:before])
			sent += before
			out = slices.Clone(out[before:])
		}
		if w.at == 0 {
			w.users = w.users[:len(w.users)-1]
		}
	}
	if len(out) > 0 {
		send(out)
	}
}

// part appends what was read in the next step of a user, who may be gone: the user, how many there are, and for each
// its frequency and key.
func (w *walk) part(out []byte, ks *cache.Keyspace, user uint64) []byte {
	if ks == nil {
		w.at = 0
		return out
	}
	before := len(out)
	out = binary.AppendUvarint(out, user)
	count, n := len(out), 0
	out = append(out, 0, 0)
	w.at = ks.Dirty(w.at, step, func(key []byte, frequency uint8) {
		out = append(binary.AppendUvarint(append(out, frequency), uint64(len(key))), key...)
		n++
	})
	binary.LittleEndian.PutUint16(out[count:], uint16(n))
	if n == 0 {
		return out[:before]
	}
	return out
}

var errReport = errors.New("malformed report of reads")

// Follow notes what another node reports.
func Follow(s fsm.Shares, report []byte) error {
	for len(report) > 0 {
		user, n := binary.Uvarint(report)
		if n <= 0 || len(report) < n+2 {
			return errReport
		}
		count := int(binary.LittleEndian.Uint16(report[n:]))
		report = report[n+2:]
		ks := s.Keyspace(user)
		for range count {
			if len(report) == 0 {
				return errReport
			}
			size, n := binary.Uvarint(report[1:])
			if n <= 0 || size > uint64(len(report)-1-n) {
				return errReport
			}
			if key := report[1+n : 1+n+int(size)]; ks != nil {
				ks.Warmed(key, report[0])
			}
			report = report[1+n+int(size):]
		}
	}
	return nil
}
