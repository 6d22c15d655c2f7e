// Package tally owns counting where nothing may wait for it: how often each command was done, how it ended, and how long
// things took. What is made of the numbers is the business of who reads them.
//
// It promises that counting takes no lock and allocates nothing, that sessions which run at a time write to no common
// cache line but by chance, and that no count is lost: what a Meter has not published yet, it publishes later. A reader
// may see one count of a moment and not yet another.
//
// It never samples a count. How long commands took is a sample: of what a client sends in one go, the first one.
package tally
