package conversations

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestParseConversation(t *testing.T) {
	got, err := parseConversation("# words\nconfig: auth { idle_timeout = \"2s\" }\nconfig: timeouts {}\ndisk: 48m\ncluster:\n\n" +
		"> SET a  b \n[b] node 2 from 127.9.0.1\n<~ VALUE (?P<v>\\d+) .*\nexpect-close\n" +
		"[a]\n<? \"name: \"\nwait-until 5s GET k => NOT_FOUND\nwait-until 1s A =~ B+\nclose\n[b]\n>\\ \\x00\\n\nclose\n" +
		"kill others\ncrowd 12 PING =~ ERR BUSY .+\nreboot PING =~ PONG\nexpect-cut\nhang-disk node\n")
	if err != nil {
		t.Fatal(err)
	}
	second := step{conn: "b", node: 1, from: "127.9.0.1"}
	onB := func(line int, o op, text string) step {
		s := second
		s.line, s.op, s.text = line, o, text
		return s
	}
	crowd, reboot := onB(20, opCrowd, "PING"), onB(21, opReboot, "PING")
	crowd.n, crowd.want, crowd.like = 12, "ERR BUSY .+", true
	reboot.want, reboot.like = "PONG", true
	kill, hang := onB(19, opAct, actKill), onB(23, opAct, actHangDisk)
	kill.want, hang.want = toOthers, toNode
	want := convFile{config: "auth { idle_timeout = \"2s\" }\ntimeouts {}\n", disk: "48m", cluster: true, steps: []step{
		{line: 7, conn: "a", op: opSend, text: "SET a  b "},
		onB(9, opRegexp, `VALUE (?P<v>\d+) .*`),
		onB(10, opExpectClose, ""),
		{line: 12, conn: "a", op: opPrompt, text: "name: "},
		{line: 13, conn: "a", op: opWaitUntil, text: "GET k", want: "NOT_FOUND", max: 5 * time.Second},
		{line: 14, conn: "a", op: opWaitUntil, text: "A", want: "B+", like: true, max: time.Second},
		{line: 15, conn: "a", op: opClose},
		onB(17, opSendRaw, `\x00\n`),
		onB(18, opClose, ""),
		kill, crowd, reboot, onB(22, opExpectCut, ""), hang,
	}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if !got.acts() || !got.hangs() {
		t.Errorf("acts %v, hangs %v", got.acts(), got.hangs())
	}
}

func TestParseConversationRefuses(t *testing.T) {
	for _, text := range []string{
		"> PING\n", "hello\nclose\n", "<~ (\nclose\n", ">\\ \\q\nclose\n", ">\\ a\\\nclose\n",
		"<? no quotes\nclose\n", "wait-until 5s GET k\nclose\n", "wait-until soon A => B\nclose\n", "login bob\nclose\n",
		"close\nconfig: auth {}\n", "kill 2\n", "wait-until 1s A =~ (\nclose\n", "crowd many A =~ B\n", "crowd 3 A => B\n",
		"reboot A\nclose\n", "reboot A =~ B\n", "[b] from 10.0.0.1\nclose\n",
	} {
		if parsed, err := parseConversation(text); err == nil {
			t.Errorf("%q: no error, %+v", text, parsed)
		}
	}
}

func TestUnescapeAndExpand(t *testing.T) {
	got, err := unescape(`a\n\r\t\0\\\xfF\x41`)
	if want := "a\n\r\t\x00\\\xffA"; got != want || err != nil {
		t.Errorf("unescape: %q, %v; want %q", got, err, want)
	}
	vars := map[string]string{"u": "z9", "ver": "12"}
	for text, want := range map[string]string{
		"alice{u} {ver}": "alicez9 12", "{x*3}{ *2}|": "xxx  |", `\d{2} {none}`: `\d{2} {none}`, "{": "{",
	} {
		if got := expand(text, vars); got != want {
			t.Errorf("expand(%q) = %q, want %q", text, got, want)
		}
	}
}

// FuzzParseConversation: no text may crash the parser, and what it accepts has
// a step for each connection's end.
func FuzzParseConversation(f *testing.F) {
	f.Add("> PING\n< PONG\nclose\n")
	f.Add("[b] node 3\n>\\ \\xff\\0\nexpect-cut\n")
	f.Add("wait-until 1s A => B\n<? \"x\"\n<* END\nclose")
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := parseConversation(text)
		steps := slices.DeleteFunc(parsed.steps, func(s step) bool { return !s.uses() })
		if err == nil && len(steps) > 0 && !steps[len(steps)-1].closes() {
			t.Errorf("%q: accepted, ends with %+v", text, steps[len(steps)-1])
		}
	})
}
