package judge

import "testing"

func TestCheckFlood(t *testing.T) {
	r := FloodRecord{ID: 3, Last: 12, Acked: 10, Unknown: 2, Deleted: 1, UnknownDeleted: 1}
	there := func(seqs ...int) Contents {
		s := Contents{}
		for _, seq := range seqs {
			s[r.Key(seq)] = "VALUE 7 - " + FloodValue(r.Key(seq))
		}
		return s
	}
	for name, c := range map[string]struct {
		s       Contents
		evicted int64
		wrong   int
	}{
		"all counted":                          {there(1, 2, 3), 6, 0},
		"those of unknown end, too":            {there(1, 2, 3), 8, 0},
		"the unknown delete was done":          {there(1, 2, 3), 5, 0},
		"one is neither there nor was evicted": {there(1, 2, 3), 4, 1},
		"one was evicted twice":                {there(1, 2, 3), 9, 1},
		"one that nobody wrote":                {there(1, 2, 13), 6, 1},
		"another's value":                      {Contents{r.Key(1): "VALUE 7 - " + FloodValue(r.Key(2))}, 8, 1},
		"another kind of key":                  {Contents{"flood:x:1": "VALUE 7 - v"}, 8, 1},
	} {
		if errs := CheckFlood([]FloodRecord{r}, c.s, c.evicted); len(errs) != c.wrong {
			t.Errorf("%s: %v", name, errs)
		}
	}
}

func TestLost(t *testing.T) {
	then := Contents{"a": "VALUE 1 - v", "b": "VALUE 2 - v"}
	for _, c := range []struct {
		now  Contents
		lost int64
		bad  bool
	}{
		{then, 0, false},
		{Contents{"b": "VALUE 2 - v"}, 1, false},
		{Contents{"b": "VALUE 3 - v"}, 1, true},
		{Contents{"a": "VALUE 1 - v", "c": "VALUE 3 - v"}, 1, true},
	} {
		if lost, err := c.now.Lost(then); lost != c.lost || (err != nil) != c.bad {
			t.Errorf("%v: %d, %v", c.now, lost, err)
		}
	}
}
