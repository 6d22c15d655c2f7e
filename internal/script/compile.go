package script

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
)

// sourceName is what messages call a script.
const sourceName = "user_script"

// MaxSource is the largest script, in bytes.
const MaxSource = 256 << 10

// Script is a compiled script. It never changes, and any number of runs may share it.
type Script struct {
	SHA   string // 40 hexadecimal digits, lower case
	Size  int    // bytes of its source
	Flags Flags  // what its first line says
	proto *lua.FunctionProto
}

// SHA returns what scripts are known by: the SHA-1 of the source in hexadecimal digits.
func SHA(source []byte) string {
	sum := sha1.Sum(source)
	return hex.EncodeToString(sum[:])
}

// Compile compiles a script. Its error is to be answered as it stands: it begins with ERR.
func Compile(source []byte) (*Script, error) {
	if len(source) > MaxSource {
		return nil, fmt.Errorf("ERR Error compiling script (new function): a script has at most %d bytes", MaxSource)
	}
	flags, rest, err := shebang(string(source))
	if err != nil {
		return nil, err
	}
	proto, err := compile(rest)
	if err != nil {
		return nil, errors.New(oneLine("ERR Error compiling script (new function): " + err.Error()))
	}
	return &Script{SHA: SHA(source), Size: len(source), Flags: flags, proto: proto}, nil
}

// syntaxError is in the words of Lua.
type syntaxError struct {
	line int
	text string
}

func (e *syntaxError) Error() string { return fmt.Sprintf("%s:%d: %s", sourceName, e.line, e.text) }

func compile(source string) (proto *lua.FunctionProto, err error) {
	defer func() { // the library's compiler gives up in this way, too
		if p := recover(); p != nil {
			proto, err = nil, &syntaxError{line: 1, text: fmt.Sprint(p)}
		}
	}()
	lines := strings.Count(source, "\n") + 1
	chunk, err := parse.Parse(strings.NewReader(source), sourceName)
	if err != nil {
		return nil, inWordsOfLua(err, lines)
	}
	var r rewriter
	chunk = r.function(chunk, lines)
	if r.err != nil {
		return nil, r.err
	}
	proto, err = lua.Compile(chunk, sourceName)
	if err != nil {
		return nil, compileError(err)
	}
	return proto, nil
}

// inWordsOfLua is an error of the parser.
func inWordsOfLua(err error, lines int) error {
	var e *parse.Error
	if !errors.As(err, &e) {
		return &syntaxError{line: 1, text: err.Error()}
	}
	near, line := e.Token, e.Pos.Line
	if line <= 0 || near == "" {
		near, line = "<eof>", lines
	}
	text := "unexpected symbol"
	switch {
	case strings.Contains(e.Message, "multiline"):
		text = "unfinished long string"
	case strings.Contains(e.Message, "unterminated"):
		text = "unfinished string"
	case strings.Contains(e.Message, "number"):
		text = "malformed number"
	}
	return &syntaxError{line: line, text: text + " near '" + near + "'"}
}

var compilerSays = regexp.MustCompile(`(?s)^compile error near line\((\d+)\) [^:]*: (.*)$`)

// compileError is an error of the compiler.
func compileError(err error) error {
	said := compilerSays.FindStringSubmatch(err.Error())
	if said == nil {
		return &syntaxError{line: 1, text: err.Error()}
	}
	line, _ := strconv.Atoi(said[1])
	return &syntaxError{line: line, text: said[2]}
}
