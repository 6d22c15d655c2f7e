// Package script owns what EVAL runs: it compiles Lua, runs it within bounds, and turns what it returns into a reply.
//
// It promises that a script ends: after so many instructions, so much memory, so much time, whatever it does and catches;
// and that one script sees nothing of another one. It knows nothing of sessions, keys or the log: what redis.call does is
// a function that whoever runs the script hands in. It starts no goroutine.
//
// Lua is gopher-lua, which has no bounds of its own. They are made in three places:
//
//   - Instructions and time: gopher-lua asks its context before each instruction, and the context is the budget.
//   - Memory: a script is rewritten before it is compiled, so that what makes tables, closures or strings, or stores into
//     a table, is counted first (rewrite.go). What functions of ours allocate they count themselves. Nothing is ever
//     given back: a budget is of all that is allocated, so what is in use is never more.
//   - Depth: the stack of Go is what a script's nesting ends up on. Calls, coroutines, and the syntax itself have a limit.
//
// A pcall runs its function in a thread of its own. In the library's own one an error cuts closures of the caller off from
// the variables that they share, and the script goes on with wrong values.
//
// What differs from Redis 7.0: cmsgpack, struct, load and loadstring are not there; pairs of a library's table and of _G
// shows nothing; messages about a value that is not of the right type do not name the variable; a coroutine cannot yield
// from within a pcall.
package script
