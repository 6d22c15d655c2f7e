package resp

import "testing"

// provoked are requests, the last of which is answered with an error.
var provoked = map[Error][]string{
	ErrSyntax:       {"SET k v foo"},
	ErrNotInteger:   {"SET k v", "INCR k"},
	ErrNotFloat:     {"SET k v", "INCRBYFLOAT k 1"},
	ErrCursor:       {"SCAN x"},
	ErrDBIndex:      {"SELECT 99"},
	ErrSameObject:   {"COPY k k"},
	ErrOverflow:     {"SET k 9223372036854775807", "INCR k"},
	ErrDecrement:    {"DECRBY n -9223372036854775808"},
	ErrNaN:          {"INCRBYFLOAT f inf"},
	ErrOffset:       {"SETRANGE k -1 v"},
	ErrNoKey:        {"RENAME missing k"},
	ErrNoProto:      {"HELLO 4"},
	ErrProto:        {"HELLO x"},
	ErrNested:       {"MULTI", "MULTI"},
	ErrWatchInMulti: {"MULTI", "WATCH k"},
	ErrExecAlone:    {"EXEC"},
	ErrDiscardAlone: {"DISCARD"},
	ErrExecAbort:    {"MULTI", "foo", "EXEC"},
	ErrNoScript:     {"EVALSHA x 0"},
	ErrNoAuth:       {"CONFIG SET requirepass x", "RESET", "GET k"},
	ErrHelloNoAuth:  {"CONFIG SET requirepass x", "RESET", "HELLO 3"},
	ErrWrongPass:    {"CONFIG SET requirepass x", "RESET", "AUTH default y"},
}

func TestErrorsHaveTheWordsOfRedis(t *testing.T) {
	for want, requests := range provoked {
		l := startLive(t)
		reply := ""
		for _, request := range requests {
			l.send(request + "\r\n")
			reply = l.reply()
		}
		if reply != "-"+string(want)+"\r\n" {
			t.Errorf("%v: got %q, want %q", requests, reply, want)
		}
	}
}
