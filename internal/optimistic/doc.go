// Package optimistic owns how something that reads and writes a user's items one by one becomes one log entry: a script.
//
// It reads this node's copy and notes the versions of what it reads, what was not there included. Its writes are kept
// aside, where its own later reads see them. At its end all go into the log as one transaction (fsm.OpExec) with the
// versions as conditions. If these do not hold, nothing was done, and all of it is run again, up to Tries times. What wrote
// nothing is checked against this node's copy, in one cut, without an entry.
//
// So whatever it does is atomic and serialisable, and none of it runs while an entry is applied. A try may see a mixture of
// before and after a change of another client; its conditions do not hold then, and what it has made of that counts for
// nothing, an error included.
//
// It knows nothing of scripts, commands or replies.
package optimistic
