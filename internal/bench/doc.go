// Package bench makes load and measures how it is answered: connections, requests in flight, a mix of operations, keys
// that are alike or not, sizes. Servers of several kinds are spoken to, each by a Driver.
//
// It promises figures that say what they are: a latency is the time from the sending of a request, or with a rate from
// when it was due, to the read that has brought its answer; what was answered with an error is counted apart and is in no
// latency; what was not answered at all is counted too. It is cheap, as it mostly shares processors with what it measures:
// a request is copied from a template, and of an answer no more is read than says how it ended. It never touches a key
// that does not begin with its prefix.
package bench
