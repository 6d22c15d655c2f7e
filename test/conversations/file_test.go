package conversations

import (
	"slices"
	"time"
)

// A convFile is one conversation file, a script. conversations/README.md describes the format.
type convFile struct {
	config  string // what its cluster's file has besides the nodes; "" for the cluster that all others share
	disk    string // the size of each node's disk; "" for the machine's
	cluster bool   // it is about more than one node
	steps   []step
}

// acts tells whether the script does something to nodes.
func (s convFile) acts() bool {
	return slices.ContainsFunc(s.steps, func(s step) bool { return s.op == opAct || s.op == opReboot })
}

// hangs tells whether it makes a disk hang.
func (s convFile) hangs() bool {
	return slices.ContainsFunc(s.steps, func(s step) bool { return s.op == opAct && s.text == actHangDisk })
}

// A step is one line of a conversation file.
type step struct {
	line int    // in the file, from 1
	conn string // the connection it is about
	node int    // the connection's node, from 0, counted from the one under test
	from string // the connection's address; "" for one of its own
	op   op
	text string        // before variables are filled in; opAct: what is done
	want string        // opWaitUntil, opCrowd, opReboot: the reply to wait for; opAct: to whom
	like bool          // opWaitUntil: want is a pattern
	max  time.Duration // opWaitUntil: how long
	n    int           // opCrowd: how many connections
}

type op int

const (
	opSend        op = iota // > a line
	opSendRaw               // >\ bytes
	opLine                  // < an exact line
	opRegexp                // <~ a line that matches
	opSkip                  // <* lines up to one that matches
	opPrompt                // <? text without a newline
	opBytes                 // <\ exact bytes
	opClose                 // close
	opEOF                   // eof
	opExpectClose           // expect-close
	opExpectCut             // expect-cut
	opWaitUntil             // wait-until 5s LINE => REPLY
	opSignup                // signup NAME PASSWORD
	opLogin                 // login NAME PASSWORD
	opCrowd                 // crowd 100 LINE =~ REGEXP
	opReboot                // reboot LINE =~ REGEXP
	opAct                   // kill node, stop others, …
)

// The order matters: a marker comes before its own prefixes.
var marks = []struct {
	mark string
	op   op
}{
	{`>\ `, opSendRaw}, {"> ", opSend},
	{`<\ `, opBytes}, {"<~ ", opRegexp}, {"<* ", opSkip}, {"<? ", opPrompt}, {"< ", opLine},
	{"wait-until ", opWaitUntil}, {"signup ", opSignup}, {"login ", opLogin},
	{"crowd ", opCrowd}, {"reboot ", opReboot},
}

var words = map[string]op{
	"close": opClose, "eof": opEOF, "expect-close": opExpectClose, "expect-cut": opExpectCut,
}

// What can be done to nodes, and to which: the one under test, all the others (on
// one node: none), or both.
const (
	actKill     = "kill"
	actStop     = "stop"
	actCont     = "cont"
	actTerm     = "term"
	actStart    = "start"
	actHangDisk = "hang-disk"
	actFillDisk = "fill-disk"
	actFreeDisk = "free-disk"

	toNode, toOthers, toAll = "node", "others", "all"
)
