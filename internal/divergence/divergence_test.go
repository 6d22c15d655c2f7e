package divergence

import (
	"testing"

	"ciderd/internal/fsm"
)

// Who serves, of nodes that differ: the leader, or whom a majority agrees with; never nobody.
func TestJudge(t *testing.T) {
	at := func(hash uint64) []fsm.StateHash { return []fsm.StateHash{{Index: 9, Hash: hash}, {Index: 5, Hash: 7}} }
	for name, c := range map[string]struct {
		comparison
		want  judgement
		index uint64
	}{
		"nobody answers":              {comparison{voters: 3, leader: "b"}, undecided, 0},
		"all agree":                   {comparison{voters: 2, leader: "b", others: []theirHashes{{"b", false, at(1)}}}, mayServe, 0},
		"the leader differs":          {comparison{voters: 2, leader: "b", others: []theirHashes{{"b", false, at(2)}}}, mustWithdraw, 9},
		"a follower differs":          {comparison{voters: 2, leader: "a", others: []theirHashes{{"b", false, at(2)}}}, undecided, 9},
		"of three":                    {comparison{voters: 3, leader: "c", others: []theirHashes{{"b", false, at(1)}, {"c", false, at(2)}}}, mayServe, 9},
		"two against one":             {comparison{voters: 3, leader: "a", others: []theirHashes{{"b", true, at(2)}, {"c", false, at(2)}}}, outvoted, 9},
		"a leader that has withdrawn": {comparison{voters: 2, leader: "b", others: []theirHashes{{"b", true, at(2)}}}, undecided, 9},
		"all have withdrawn":          {comparison{voters: 2, leader: "a", others: []theirHashes{{"b", true, at(2)}}}, mayServe, 9},
		"three of five":               {comparison{voters: 5, leader: "c", others: []theirHashes{{"b", false, at(1)}, {"c", false, at(2)}, {"d", false, at(2)}}}, mustWithdraw, 9},
	} {
		c.self, c.own = "a", at(1)
		if got, index := c.judge(); got != c.want || index != c.index {
			t.Errorf("%s: %v at %d, want %v at %d", name, got, index, c.want, c.index)
		}
	}
}
