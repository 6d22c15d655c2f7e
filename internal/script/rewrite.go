package script

import (
	"strconv"

	"github.com/yuin/gopher-lua/ast"
)

// The functions that a rewritten script calls. No script can spell their names.
const (
	nameCharge = "\x00charge" // counts bytes, and 16 for each further argument
	nameConcat = "\x00concat" // joins its arguments, as .. does
	nameStore  = "\x00store"  // table, key, value: stores, and counts what that takes
	nameKey    = "\x00key"    // counts what it takes to have such a key, and returns it
	nameModulo = "\x00modulo" // a % b: the library's is another one where fractions are about
)

var hiddenNames = []string{nameCharge, nameConcat, nameStore, nameKey, nameModulo}

// What is counted, in bytes, generously.
const (
	entryBytes   = 200 // an element of a table that is not in its array
	tableBytes   = 200
	closureBytes = 200
	slotBytes    = 16 // a value in an array or a list of arguments
	// tailBytes is for a call that takes the place of its caller: the library keeps a line for each, for a trace.
	tailBytes = 256
)

const (
	// maxDepth is how deep a script may be nested. Each level takes some kilobytes of stack to compile.
	maxDepth = 2000
	// concatAtOnce is how many operands a call has.
	concatAtOnce = 50
)

// rewriter changes a script so that what it allocates is counted before. It keeps its meaning.
type rewriter struct {
	depth int
	err   *syntaxError
}

// function wraps a script into a function that takes the ones it calls, and returns the script as a function.
func (r *rewriter) function(script []ast.Stmt, lastLine int) []ast.Stmt {
	params := &ast.LocalAssignStmt{Names: hiddenNames, Exprs: []ast.Expr{&ast.Comma3Expr{}}}
	body := &ast.FunctionExpr{ParList: &ast.ParList{HasVargs: true}, Stmts: r.block(script, cost{})}
	body.SetLine(1)
	body.SetLastLine(lastLine)
	result := &ast.ReturnStmt{Exprs: []ast.Expr{body}}
	for _, node := range []ast.PositionHolder{params, params.Exprs[0], result} {
		node.SetLine(1)
		node.SetLastLine(lastLine)
	}
	return []ast.Stmt{params, result}
}

// cost is what a statement allocates.
type cost struct {
	bytes  int
	varied bool // it uses ..., of which there may be many
}

func (c *cost) add(bytes int) { c.bytes += bytes }

func (c *cost) join(o cost) { c.bytes, c.varied = c.bytes+o.bytes, c.varied || o.varied }

// statement counts the cost, with the line of the statement that it is of.
func (c cost) statement(at ast.PositionHolder) ast.Stmt {
	args := []ast.Expr{&ast.NumberExpr{Value: strconv.Itoa(c.bytes)}}
	if c.varied {
		args = append(args, &ast.Comma3Expr{})
	}
	return callStatement(at, nameCharge, args...)
}

func callOf(at ast.PositionHolder, name string, args ...ast.Expr) *ast.FuncCallExpr {
	f := &ast.IdentExpr{Value: name}
	call := &ast.FuncCallExpr{Func: f, Args: args}
	for _, node := range []ast.PositionHolder{f, call} {
		node.SetLine(at.Line())
		node.SetLastLine(at.LastLine())
	}
	for _, arg := range args {
		if arg.Line() == 0 {
			arg.SetLine(at.Line())
			arg.SetLastLine(at.LastLine())
		}
	}
	return call
}

func callStatement(at ast.PositionHolder, name string, args ...ast.Expr) ast.Stmt {
	s := &ast.FuncCallStmt{Expr: callOf(at, name, args...)}
	s.SetLine(at.Line())
	s.SetLastLine(at.LastLine())
	return s
}

// block rewrites the statements of a block, each behind what counts its cost. first is counted where the block begins.
func (r *rewriter) block(stmts []ast.Stmt, first cost) (out []ast.Stmt) {
	if !r.deeper() {
		return stmts
	}
	defer r.back()
	for i, s := range stmts {
		var c cost
		if i == 0 {
			c = first
		}
		rewritten := r.statement(s, &c)
		if c != (cost{}) {
			out = append(out, c.statement(s))
		}
		out = append(out, rewritten)
	}
	return out
}

// loop rewrites a block that may be empty, with what its condition costs each time.
func (r *rewriter) loop(at ast.PositionHolder, stmts []ast.Stmt, each cost) []ast.Stmt {
	if len(stmts) == 0 && each != (cost{}) {
		return []ast.Stmt{each.statement(at)}
	}
	return r.block(stmts, each)
}

func (r *rewriter) deeper() bool {
	r.depth++
	if r.depth > maxDepth && r.err == nil {
		r.err = &syntaxError{line: 1, text: "chunk has too many syntax levels"}
	}
	if r.err != nil {
		r.depth--
		return false
	}
	return true
}

func (r *rewriter) back() { r.depth-- }
