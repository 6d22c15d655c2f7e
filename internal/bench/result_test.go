package bench

import (
	"reflect"
	"testing"
	"time"
)

// What is drained while it goes on is in the total once, and in the second in which it was counted.
func TestDraining(t *testing.T) {
	s, total := newShard(), newShard()
	burst := func() *Burst {
		return &Burst{
			Requests: []Request{{Operation: Get}, {Operation: Get}, {Operation: Set}, {Operation: Set}},
			Outcomes: []Outcome{Found, Missed, Failed, Done}, Errors: []string{"BUSY too much"},
		}
	}
	for i := range 3 {
		if !s.count(burst(), 0, 4, time.Duration(i+1)*time.Millisecond) {
			t.Error("three answers are none")
		}
		if s.count(burst(), 2, 3, time.Hour) {
			t.Error("an error is an answer")
		}
		s.fail(lostConnection, "EOF", 5)
		s.reconnected()
		second := newShard()
		s.drainInto(total, second)
		if p := second.progress(time.Minute, time.Second/2); p.PerSecond != 6 || p.Errors != 7 || p.P50.Round(time.Millisecond) != time.Duration(i+1)*time.Millisecond {
			t.Errorf("second %d: %+v", i, p)
		}
	}
	s.waited(time.Second)
	s.drainInto(total, nil)
	r := total.result(2*time.Second, &Config{})
	if r.Answered != 9 || r.PerSecond != 4.5 || r.Unanswered != 15 || r.Reconnected != 3 || r.LongestWait != 1000 || r.Operations["get"].Missed != 3 || r.Operations["set"].Answered != 3 {
		t.Errorf("%+v", r)
	}
	if want := []Problem{{lostConnection, 15, "EOF"}, {"BUSY", 6, "BUSY too much"}}; !reflect.DeepEqual(r.Errors, want) {
		t.Errorf("%+v", r.Errors)
	}
	if m := r.Milliseconds; m.Max < 2.9 || m.Max > 3.1 || m.P50 < 1.9 || m.P50 > 2.1 {
		t.Errorf("%+v", m)
	}
}
