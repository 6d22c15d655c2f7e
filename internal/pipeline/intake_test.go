package pipeline

import (
	"math/rand/v2"
	"slices"
	"testing"

	"ciderd/test/norace"
)

func waits(user uint64, s size) *Proposal { return &Proposal{user: user, size: s} }

// However much one user proposes, another's first proposal is in the next batch; and each user's stay in order.
func TestUsersTakeTurns(t *testing.T) {
	var in intake
	for range 1000 {
		in.add(waits(1, size{commands: 100, bytes: 1000}))
	}
	late := waits(2, size{commands: 1, bytes: 10})
	in.add(late)
	if batch, _ := in.take(); !slices.Contains(batch, late) {
		t.Error("a user waits behind all that another has proposed")
	}
}

// What makes every node copy stored values is bounded in each batch, whoever sent it, and does not keep what
// costs nothing out of it.
func TestWorkIsBounded(t *testing.T) {
	var in intake
	for user := range uint64(8) {
		for range 10 {
			in.add(waits(user, size{commands: 1, bytes: 10, work: 512 << 10}))
		}
	}
	cheap := waits(99, size{commands: 1, bytes: 10})
	in.add(cheap)
	batches := 0
	for ; !in.empty(); batches++ {
		batch, total := in.take()
		if total.work > max(maxBatchWork, batch[0].size.work) {
			t.Fatalf("a batch of %d proposals copies %d bytes", len(batch), total.work)
		}
		if batches == 0 && !slices.Contains(batch, cheap) {
			t.Error("what copies nothing waits for what copies much")
		}
	}
	if batches != 80 {
		t.Errorf("%d batches for 80 proposals that each are one's work", batches)
	}
}

// A user can fill half of the intake, and no number of users all of it: who has nothing in it gets in.
func TestSharesOfTheIntake(t *testing.T) {
	var in intake
	fill := func(user uint64) (bytes int) {
		for {
			p := waits(user, size{commands: 1, bytes: 1 << 20})
			if !in.admits(p) {
				return bytes
			}
			in.add(p)
			bytes += p.size.bytes
		}
	}
	if got := fill(1); got != maxIntakeBytes/2 {
		t.Errorf("one user has %d bytes of %d", got, maxIntakeBytes)
	}
	if got := fill(2); got != maxIntakeBytes/4 {
		t.Errorf("the next has %d", got)
	}
	if got := fill(1); got != 0 {
		t.Errorf("the first has %d more", got)
	}
	if !in.admits(waits(3, size{commands: 1, bytes: 400 << 10})) {
		t.Error("there is no room for a third")
	}
}

// The lines add up to the whole, at every step of random additions, batches and withdrawals; every proposal
// leaves once, and each user's in order.
func TestIntakeAgainstModel(t *testing.T) {
	norace.Alone(t)
	r := rand.New(rand.NewPCG(1, 2))
	var in intake
	model := map[uint64][]*Proposal{}
	leave := func(p *Proposal, first bool) {
		i := slices.Index(model[p.user], p)
		if i < 0 || first && i != 0 {
			t.Fatalf("a proposal of user %d leaves at place %d", p.user, i)
		}
		model[p.user] = slices.Delete(model[p.user], i, i+1)
	}
	for range 20_000 {
		switch user := uint64(r.IntN(6)); r.IntN(10) {
		case 0:
			batch, total := in.take()
			if len(batch) == 0 && !in.empty() {
				t.Fatal("an empty batch of a filled intake")
			}
			var sum size
			for _, p := range batch {
				leave(p, true)
				sum.add(p.size)
			}
			if sum != total || len(batch) > 1 && (total.commands > maxBatchCommands || total.bytes > maxBatchBytes) {
				t.Fatalf("a batch of %v, told as %v", sum, total)
			}
		case 1:
			if all := model[user]; len(all) > 0 {
				p := all[r.IntN(len(all))]
				if !in.remove(p) || in.remove(p) {
					t.Fatal("a proposal can be withdrawn once")
				}
				leave(p, false)
			}
		default:
			p := waits(user, size{commands: 1 + r.IntN(400), bytes: r.IntN(maxBatchBytes + 100), work: r.IntN(3) * r.IntN(maxBatchWork)})
			if in.admits(p) {
				in.add(p)
				model[user] = append(model[user], p)
			}
		}
		checkIntake(t, &in, model)
	}
}

func checkIntake(t *testing.T, in *intake, model map[uint64][]*Proposal) {
	t.Helper()
	var whole size
	lines := 0
	for user, waiting := range model {
		var own size
		for _, p := range waiting {
			own.add(p.size)
		}
		whole.add(own)
		l := in.lines[user]
		if len(waiting) == 0 && l == nil {
			continue
		}
		lines++
		if l == nil || l.size != own || !slices.Equal(l.waiting, waiting) {
			t.Fatalf("the line of user %d is not what was put into it", user)
		}
	}
	if in.size != whole || in.ring.Len() != lines || len(in.lines) != lines {
		t.Fatalf("%v in %d lines, want %v in %d", in.size, in.ring.Len(), whole, lines)
	}
}
