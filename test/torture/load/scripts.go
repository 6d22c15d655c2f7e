package load

import (
	"strconv"

	"ciderd/test/torture/judge"
	"ciderd/test/torture/rig"
)

// scriptClient moves money between accounts by scripts, and looks whether any has gone.
type scriptClient struct{ transactions }

// transfer tells what two accounts had and have.
const transfer = `
local from, to = redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2])
redis.call('SET', KEYS[1], string.format('%d', (from or 0) - ARGV[1]))
redis.call('SET', KEYS[2], string.format('%d', (to or 0) + ARGV[1]))
return {from, to, redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2])}`

// survey tells what all accounts have.
const survey = `
local all = {}
for i, key in ipairs(KEYS) do all[i] = redis.call('GET', key) end
return all`

func (w *scriptClient) step(c *client) error {
	bank := judge.Bank(c.random.IntN(judge.Banks))
	switch c.random.IntN(4) {
	case 0:
		return w.survey(c, bank)
	case 1: // a transfer in a transaction, with reads behind it
		steps, q := w.draw(c, bank)
		reads, look := w.reads(bank)
		requests := append([]rig.Request{{"MULTI"}, q}, look...)
		return w.finish(c, judge.Transaction{Group: bank, Steps: append(steps, reads...)}, each, append(requests, rig.Request{"EXEC"})...)
	}
	steps, q := w.draw(c, bank)
	return w.finish(c, judge.Transaction{Group: bank, Steps: steps}, each, q)
}

// draw is a transfer between two accounts.
func (w *scriptClient) draw(c *client, bank string) ([]judge.Step, rig.Request) {
	from := c.random.IntN(judge.GroupKeys)
	to := (from + 1 + c.random.IntN(judge.GroupKeys-1)) % judge.GroupKeys
	w.seq++
	amount := strconv.Itoa(w.id*1_000_000 + w.seq) // nobody else moves as much
	return []judge.Step{
			{Do: "get", Key: from}, {Do: "get", Key: to}, {Do: "add", Key: from, Arg: "-" + amount}, {Do: "add", Key: to, Arg: amount},
		},
		rig.Request{"EVAL", transfer, "2", judge.GroupKey(bank, from), judge.GroupKey(bank, to), amount}
}

func (w *scriptClient) reads(bank string) (steps []judge.Step, requests []rig.Request) {
	for key := range judge.GroupKeys {
		steps = append(steps, judge.Step{Do: "get", Key: key})
		requests = append(requests, rig.Request{"GET", judge.GroupKey(bank, key)})
	}
	return steps, requests
}

// survey reads all accounts: by one transaction, which is in the log, or, behind a SYNC, by one MGET or one script, which
// are of this node's copy.
func (w *scriptClient) survey(c *client, bank string) error {
	steps, requests := w.reads(bank)
	var keys rig.Request
	for key := range judge.GroupKeys {
		keys = append(keys, judge.GroupKey(bank, key))
	}
	switch c.random.IntN(3) {
	case 0:
		requests = append(append([]rig.Request{{"MULTI"}}, requests...), rig.Request{"EXEC"})
	case 1:
		requests = []rig.Request{{"CIDERD.SYNC"}, append(rig.Request{"MGET"}, keys...)}
	default:
		requests = []rig.Request{{"CIDERD.SYNC"}, append(rig.Request{"EVAL_RO", survey, strconv.Itoa(len(keys))}, keys...)}
	}
	return w.finish(c, judge.Transaction{Group: bank, Steps: steps}, each, requests...)
}
