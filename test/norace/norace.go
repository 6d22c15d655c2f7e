// Package norace is for tests that are run without the race detector: those in which nothing runs beside the test, so that
// it could find nothing, and takes up to forty times as long; and those that measure memory or count allocations, as it
// takes some itself.
//
// make test finds them by these functions' names, and runs them first.
package norace

import "testing"

// Alone skips a test under the race detector that is all by itself: no goroutine of it has another one beside it.
func Alone(t testing.TB) {
	t.Helper()
	only(t, "nothing runs beside it")
}

// Memory skips a test under the race detector that measures how much memory something takes: the detector takes some too.
func Memory(t testing.TB) {
	t.Helper()
	only(t, "it measures memory, of which the race detector takes some too")
}

// Budget fails a test if a function makes more than so many allocations, whichever goroutine makes them, in the mean of so many
// runs. It is the least of ten such means: other goroutines do something now and then.
func Budget(t testing.TB, what string, most float64, runs int, run func()) {
	t.Helper()
	only(t, "the race detector allocates too")
	least := testing.AllocsPerRun(runs, run)
	for range 9 {
		least = min(least, testing.AllocsPerRun(runs, run))
	}
	if least > most {
		t.Errorf("%s: %v allocations, and the budget is %v", what, least, most)
	}
	t.Logf("%s: %v allocations, of %v", what, least, most)
}

func only(t testing.TB, why string) {
	t.Helper()
	if detector {
		t.Skipf("make test runs it without the race detector: %s", why)
	}
}
