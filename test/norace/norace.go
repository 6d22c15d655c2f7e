// Package norace is for tests that are run without the race detector: those in which nothing runs beside the test, so that
// it could find nothing, and takes up to forty times as long; and those that count allocations, of which it makes more.
//
// It owns the list of neither: make test runs the packages of such tests twice (test/arch holds it to that).
package norace

import "testing"

// Alone skips a test under the race detector that is all by itself: no goroutine of it has another one beside it.
func Alone(t testing.TB) {
	t.Helper()
	only(t, "nothing runs beside it")
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
