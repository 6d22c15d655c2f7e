package conversations

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// cannotBe lists, for each topology, the codes that no conversation can meet
// there, and why.
var cannotBe = map[string]map[string]string{
	onOneNode:  {"INTERNAL": neverInternal},
	onLeader:   {"INTERNAL": neverInternal},
	onFollower: {"INTERNAL": neverInternal},
}

// The four places that answer INTERNAL are in internal/server, and its tests
// provoke all four (TestAnswers, TestErrorsOfTheWritePath, TestPanicEndsOneSession):
//
//   - a session panics: none is known to, and FuzzSession and this package count
//     every INTERNAL as a failure;
//   - a write or a SYNC ends with an error that is not one of internal/cluster's
//     four: its Proposal and Sync give no other;
//   - a command was not run: it could not be decoded, or its result is of a kind
//     that this release does not know. What sessions encode always can be, and its
//     results are of the release that encoded it;
//   - a stored password hash is not bcrypt's, or above the highest cost: only the
//     daemon makes them, at a cost that its configuration bounds, and each log entry
//     and each chunk of a snapshot has a checksum.
//
// They stay: what cannot happen must not be answered with OK or with silence.
const neverInternal = "no input leads there; see above"

// met is what scripts have met on one topology. Its methods may be called from
// any goroutine.
type met struct {
	mu    sync.Mutex      // protects both
	codes map[string]bool // of each error that came, whether a script has named it
	verbs map[string]bool // commands that were served
}

func newMet() *met { return &met{codes: make(map[string]bool), verbs: make(map[string]bool)} }

// reply notes a reply that was as the script says. A code counts if the script
// names it and no other: `ERR \S+ .+` is not about any, nor is `ERR (SYNTAX|ARGS) .+`.
func (m *met) reply(got, pattern string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if rest, ok := strings.CutPrefix(got, "ERR "); ok {
		code, _, _ := strings.Cut(rest, " ")
		m.codes[code] = m.codes[code] || onlyCode(pattern) == code
	}
}

var oneCode = regexp.MustCompile(`^(?:\(\?i\)|\(\?P<\w+>)?ERR ([A-Z_]+) `)

// onlyCode gives the one code that a line or a pattern names; "" if that is none, or more.
func onlyCode(pattern string) string {
	m := oneCode.FindStringSubmatch(pattern)
	if m == nil || strings.Contains(pattern, "|ERR ") {
		return ""
	}
	return m[1]
}

func TestOnlyCode(t *testing.T) {
	for pattern, want := range map[string]string{
		"ERR BUSY .+": "BUSY", "ERR AUTH_FAILED {words}": "AUTH_FAILED", "(?i)ERR UNKNOWN_COMMAND .*GET.*": "UNKNOWN_COMMAND",
		"(?P<err>ERR NOT_A_NUMBER .+)": "NOT_A_NUMBER", "ERR MEMORY_FULL .*(disk|room).*": "MEMORY_FULL",
		"ERR (SYNTAX|ARGS) .+": "", `ERR \S+ .+`: "", "ERR BUSY .+|ERR QUOTA .+": "", "ERR .*": "", ".*": "", "ERR BUSY?.+": "", "OK": "",
	} {
		if got := onlyCode(pattern); got != want {
			t.Errorf("%s: got %q, want %q", pattern, got, want)
		}
	}
}

func (m *met) verb(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.verbs[name] = true
}

// everythingRan tells whether no test was left out, so that what was not met is
// in no script.
func everythingRan(t *testing.T) bool {
	return !t.Failed() && !testing.Short() && !strings.Contains(flag.Lookup("test.run").Value.String(), "/")
}

// checkMet fails for every code and every command of internal/protocol that was
// not met on some topology. Where the faults are not played, the codes that
// their scripts name are left to the runs that play them.
func checkMet(t *testing.T, heard map[string]*met) {
	left := make(map[string]bool)
	if !faultsToo {
		left = codesNamed(loadConversations(t, faultsDir))
	}
	codes, verbs := protocolCodes(t), protocolVerbs(t)
	for topology, m := range heard {
		for _, code := range codes {
			reason := cannotBe[topology][code]
			named, came := m.codes[code]
			switch {
			case came && reason != "":
				t.Errorf("%s: ERR %s came, and the table says that it cannot: %s", topology, code, reason)
			case !named && reason == "" && !left[code]:
				t.Errorf("%s: no script has met ERR %s", topology, code)
			}
		}
		for code := range m.codes {
			if !slices.Contains(codes, code) {
				t.Errorf("%s: ERR %s is no code of the interface", topology, code)
			}
		}
		for _, verb := range verbs {
			if !m.verbs[verb] {
				t.Errorf("%s: no script was served a %s", topology, verb)
			}
		}
	}
}

// codesNamed gives the codes that scripts wait for, and "".
func codesNamed(all map[string]convFile) map[string]bool {
	named := make(map[string]bool)
	for _, s := range all {
		for _, step := range s.steps {
			for _, text := range []string{step.text, step.want} {
				named[onlyCode(text)] = true
			}
		}
	}
	return named
}

// protocolCodes reads the codes of internal/protocol from its source: this package
// looks at the daemon from outside and does not import it.
func protocolCodes(t *testing.T) (codes []string) {
	t.Helper()
	ast.Inspect(parseSource(t, "../../internal/protocol/request.go"), func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "Code" {
			codes = append(codes, literal(t, spec.Values[0]))
		}
		return false
	})
	if len(codes) < 20 {
		t.Fatalf("only %d codes: %q", len(codes), codes)
	}
	return codes
}

// protocolVerbs reads the names of the command table and their aliases.
func protocolVerbs(t *testing.T) (verbs []string) {
	t.Helper()
	ast.Inspect(parseSource(t, "../../internal/protocol/command.go"), func(n ast.Node) bool {
		field, ok := n.(*ast.KeyValueExpr)
		if !ok {
			return true
		}
		switch key, _ := field.Key.(*ast.Ident); {
		case key == nil:
		case key.Name == "Name":
			verbs = append(verbs, literal(t, field.Value))
		case key.Name == "Aliases":
			for _, alias := range field.Value.(*ast.CompositeLit).Elts {
				verbs = append(verbs, literal(t, alias))
			}
		}
		return true
	})
	if len(verbs) < 30 {
		t.Fatalf("only %d commands: %q", len(verbs), verbs)
	}
	return verbs
}

func parseSource(t *testing.T, path string) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func literal(t *testing.T, e ast.Expr) string {
	t.Helper()
	lit, ok := e.(*ast.BasicLit)
	if !ok {
		t.Fatalf("%v is not a literal", e)
	}
	text, err := strconv.Unquote(lit.Value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
