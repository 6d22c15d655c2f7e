package script

import (
	"regexp"
	"strings"
)

// says is how the library's messages begin, and how those of Lua 5.1 do.
var says = []struct {
	message *regexp.Regexp
	becomes string
}{
	{regexp.MustCompile(`attempt to index a non-table object\(([a-z]+)\) with key '(?s:.*)'`), "attempt to index a $1 value"},
	{regexp.MustCompile(`cannot perform \w+ operation between (?:number|string) and (nil|boolean|table|function|thread|userdata|string)`), "attempt to perform arithmetic on a $1 value"},
	{regexp.MustCompile(`cannot perform \w+ operation between (\w+) and \w+`), "attempt to perform arithmetic on a $1 value"},
	{regexp.MustCompile(`attempt to call a non-function object`), "attempt to call a nil value"},
	{regexp.MustCompile(`__unm undefined`), "attempt to perform arithmetic on a value that is no number"},
	{regexp.MustCompile(`__len undefined`), "attempt to get length of a value that has none"},
	{regexp.MustCompile(`attempt to compare (nil|boolean|table|function|thread|userdata) with (nil|boolean|table|function|thread|userdata)`), "attempt to compare $1 with $2"},
	{regexp.MustCompile(`for statement (step|limit) must be a number`), "'for' $1 must be a number"},
	{regexp.MustCompile(`for statement init must be a number`), "'for' initial value must be a number"},
	{regexp.MustCompile(`registry overflow|lua callstack overflow`), "stack overflow"},
	{regexp.MustCompile(`bad argument #(\d+) to (\w+) \(`), "bad argument #$1 to '$2' ("},
}

// translated is a message of the library in the words of Lua 5.1, as far as it says enough. It leaves other texts alone.
func translated(message string) string {
	prefix := ""
	if strings.HasPrefix(message, sourceName+":") {
		if at := strings.Index(message, ": "); at > 0 {
			prefix, message = message[:at+2], message[at+2:]
		} else if at := strings.Index(message, " "); at > 0 {
			prefix, message = message[:at+1], message[at+1:]
		}
	}
	for _, s := range says {
		if at := s.message.FindStringIndex(message); at != nil && at[0] == 0 {
			message = s.message.ReplaceAllString(message[:at[1]], s.becomes) + message[at[1]:]
			break
		}
	}
	for _, kind := range []string{"nil", "boolean", "table", "function", "thread", "userdata"} {
		if message == "attempt to compare "+kind+" with "+kind {
			message = "attempt to compare two " + kind + " values"
		}
	}
	return prefix + message
}
