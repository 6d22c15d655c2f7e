// Package measure has, with the build tag e2e and with MEASURE=1, what tells figures: make measure. What each takes
// from the environment is told beside it.
//
// It promises figures and no verdict: nothing fails because it is slow. It never imports a package of the daemon but bench, which knows no more of it than a client does.
package measure
