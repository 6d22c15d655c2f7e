package redis

import (
	"strconv"
	"strings"

	"ciderd/internal/protocol/resp"
)

// The errors beside those of package resp. Those without a word of ours are Redis' own.
const (
	errOOM           resp.Error = "OOM command not allowed when used memory > 'maxmemory'."
	errValueTooLarge resp.Error = "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
	errNotInMulti    resp.Error = "ERR Command not allowed inside a transaction"
	errClientName    resp.Error = "ERR Client names cannot contain spaces, newlines or special characters."
	errClientID      resp.Error = "ERR Invalid client ID"
	errKillID        resp.Error = "ERR client-id should be greater than 0"
	errNoClient      resp.Error = "ERR No such client"
	errNoLFU         resp.Error = "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust."
	errLFU           resp.Error = "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust."

	errTooManyKeys  resp.Error = "ERR Number of keys can't be greater than number of args"
	errNegativeKeys resp.Error = "ERR Number of keys can't be negative"
	errScriptFlush  resp.Error = "ERR SCRIPT FLUSH only support SYNC|ASYNC option"
	errConflicts    resp.Error = "TRYAGAIN what the script reads is changed too often; nothing was done"
	errNoMaster     resp.Error = "ERR No such master with that name"
	errWaitTime     resp.Error = "ERR timeout is not an integer or out of range"
	errWaitNegative resp.Error = "ERR timeout is negative"

	errTimeout  resp.Error = "TIMEOUT the outcome is not known"
	ErrCrowded  resp.Error = "ERR max number of clients reached"
	errInternal resp.Error = "ERR internal error; the outcome is not known"
	errBusy     resp.Error = "TRYAGAIN this node is receiving too much at once; nothing was done; try again later"
	errKey      resp.Error = "ERR a key has 1 to 1024 bytes"
	errManyKeys resp.Error = "ERR too many keys for one reply; use SCAN"
	errWatches  resp.Error = "ERR too many watched keys, at most 16384"
	errViews    resp.Error = "ERR too many commands about all keys in one transaction, at most 16"
	errPatterns resp.Error = "ERR too many patterns, at most 64"
	errOnceID   resp.Error = "ERR an id has 1 to 64 bytes"
	errOnce     resp.Error = "ERR CIDERD.ONCE wraps a write whose reply is OK, nil, an integer or an error"
	errVersion  resp.Error = "ERR a version is an unsigned integer of 64 bits"
)

// What redis.call is answered that is not done.
const (
	errScriptUnknown   resp.Error = "ERR Unknown Redis command called from script"
	errScriptArity     resp.Error = "ERR Wrong number of args calling Redis command from script"
	errScriptForbidden resp.Error = "ERR This Redis command is not allowed from script"
	errScriptWrites    resp.Error = "ERR Can not execute a script with write flag using *_ro command."
	errScriptReadOnly  resp.Error = "ERR Write commands are not allowed from read-only scripts."
)

// errRefused is for a command that Redis has and we refuse.
func errRefused(c *resp.Command) error {
	return resp.Error("ERR " + strings.ToUpper(strings.ReplaceAll(c.Name, "|", " ")) + " is not supported")
}

// errArity is for a command whose number of arguments Lookup could not tell to be wrong.
func errArity(c *resp.Command) error {
	return resp.Error("ERR wrong number of arguments for '" + c.Name + "' command")
}

func conflict(version uint64) string { return "CONFLICT " + strconv.FormatUint(version, 10) }

// is reports whether b is word, which is in lower case, in any letter case of ASCII.
func is(b []byte, word string) bool {
	if len(b) != len(word) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != word[i] {
			return false
		}
	}
	return true
}
