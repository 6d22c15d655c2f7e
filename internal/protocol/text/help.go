package text

import (
	"strings"
	"unicode/utf8"

	"ciderd/internal/protocol"
)

// overview is the reply to HELP without a verb. It fits a screen of 80 x 24.
var overview = func() string {
	var b strings.Builder
	b.WriteString("Commands, in any case; one reply for each line. HELP verb or HELP ERRORS: more.\n")
	for i := 0; i < len(table); i += 2 {
		left, right := table[i].Usage, ""
		if i+1 < len(table) {
			right = table[i+1].Usage
		}
		line := "  " + left + strings.Repeat(" ", max(1, 39-len(left))) + right
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	b.WriteString("k: a key, 1 to 1,024 bytes. v: a value, the rest of the line or a quoted word.\n")
	b.WriteString("d: a duration: 60 (seconds), 200ms, 1.5s, 5m, 2h, 7d.\n")
	b.WriteString(`Quoted words: "..." with \n \r \t \0 \" \\ \xHH.` + "\n")
	b.WriteString("END\n")
	return b.String()
}()

// AppendHelp appends the reply to HELP: the overview if verb is empty, the errors if it is ERRORS, else usage and
// notes of that command. Lines end in LF; the last one is END. An unknown verb is an UNKNOWN_COMMAND.
func AppendHelp(dst, verb []byte) ([]byte, *protocol.Error) {
	if len(verb) == 0 {
		return append(dst, overview...), nil
	}
	if foldEqual(verb, "ERRORS") {
		return append(dst, helpErrors...), nil
	}
	cmd := find(verb)
	if cmd == nil {
		return dst, unknown(verb)
	}
	dst = append(append(dst, cmd.Usage...), '\n')
	dst = append(append(dst, cmd.Summary...), '\n')
	for _, note := range cmd.Notes {
		dst = append(append(dst, note...), '\n')
	}
	return append(dst, "END\n"...), nil
}

// unknown is the error for a verb that there is not. The word is told only if it is nearly one
// that there is: anything else may be a password typed at the wrong moment.
func unknown(word []byte) *protocol.Error {
	if name := nearest(word); name != "" {
		return fail(protocol.UnknownCommand, strings.ToUpper(string(word))+" is not a command; did you mean "+name+"?")
	}
	return fail(protocol.UnknownCommand, "unknown command; HELP lists the commands")
}

// nearest returns the name of the command that word was probably meant for, "" if none is near.
func nearest(word []byte) string {
	const longest = len("UNREGISTER") + 2
	if len(word) > longest || !isASCII(word) { // ToUpper makes longer words of other letters
		return ""
	}
	upper := strings.ToUpper(string(word))
	best, name := 3, ""
	for _, row := range table {
		for _, like := range row.like {
			if upper == like {
				return row.Name
			}
		}
		for _, n := range append([]string{row.Name}, row.Aliases...) {
			if d := distance(upper, n); d < best && d < len(upper) && isLetters(upper) {
				best, name = d, n
			}
		}
	}
	return name
}

func isASCII(word []byte) bool {
	for _, c := range word {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func isLetters(s string) bool {
	return strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// distance returns how many letters must be put in, taken out, changed or swapped with their
// neighbour to make b of a. Both have at most 15 bytes.
func distance(a, b string) int {
	var d [16][16]int
	for i := range len(a) + 1 {
		for j := range len(b) + 1 {
			switch {
			case i == 0 || j == 0:
				d[i][j] = i + j
				continue
			case a[i-1] == b[j-1]:
				d[i][j] = d[i-1][j-1]
			default:
				d[i][j] = 1 + min(d[i-1][j-1], d[i-1][j], d[i][j-1])
			}
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}

// advised is what HELP ERRORS says of each advice.
var advised = []struct {
	advice protocol.Advice
	text   string
}{
	{protocol.ChangeIt, "Change it; sent again unchanged, it gets the same answer:"},
	{protocol.SendAgain, "Send it again after a moment, here or elsewhere:"},
	{protocol.SendElsewhere, "Send it to another node, or here later:"},
	{protocol.MakeRoom, "Send it again once there is room:"},
	{protocol.NotKnown, "Not known whether it was done; with ONCE it is safe to send it again:"},
	{protocol.Reconnect, "Unasked, and the connection is closed; connect again:"},
}

// helpErrors is the reply to HELP ERRORS. It fits a screen of 80 x 24.
var helpErrors = func() string {
	var b strings.Builder
	b.WriteString("An error is ERR CODE message, the code for programs, the message for people.\n")
	b.WriteString("Nothing was done and nothing will be, except where the outcome is unknown.\n")
	for _, a := range advised {
		b.WriteString(a.text + "\n")
		line := " "
		for _, e := range protocol.ErrorCodes() {
			if e.Advice != a.advice {
				continue
			}
			if len(line)+1+len(e.Code) > 79 {
				b.WriteString(line + "\n")
				line = " "
			}
			line += " " + string(e.Code)
		}
		b.WriteString(line + "\n")
	}
	b.WriteString("SHUTTING_DOWN comes unasked too, TOO_MANY_CONNECTIONS instead of the banner.\n")
	b.WriteString("END\n")
	return b.String()
}()
