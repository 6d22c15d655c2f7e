package script

import (
	"strings"

	"github.com/yuin/gopher-lua/ast"
)

func (r *rewriter) exprs(all []ast.Expr, c *cost) {
	for i := range all {
		all[i] = r.expr(all[i], c)
	}
}

// expr rewrites an expression, and adds what it costs.
func (r *rewriter) expr(e ast.Expr, c *cost) ast.Expr {
	if !r.deeper() {
		return e
	}
	defer r.back()
	switch e := e.(type) {
	case *ast.NumberExpr:
		if !numeral(e.Value) {
			r.fail(e, "malformed number near '"+strings.TrimRight(strings.ToValidUTF8(e.Value, ""), "\ufffd")+"'")
		}
	case *ast.Comma3Expr:
		c.varied = true
	case *ast.AttrGetExpr:
		e.Object, e.Key = r.expr(e.Object, c), r.expr(e.Key, c)
	case *ast.TableExpr:
		r.table(e, c)
	case *ast.FuncCallExpr:
		if e.Func != nil {
			e.Func = r.expr(e.Func, c)
		}
		if e.Receiver != nil {
			e.Receiver = r.expr(e.Receiver, c)
		}
		r.exprs(e.Args, c)
	case *ast.LogicalOpExpr:
		e.Lhs, e.Rhs = r.expr(e.Lhs, c), r.expr(e.Rhs, c)
	case *ast.RelationalOpExpr:
		e.Lhs, e.Rhs = r.expr(e.Lhs, c), r.expr(e.Rhs, c)
	case *ast.ArithmeticOpExpr:
		e.Lhs, e.Rhs = r.expr(e.Lhs, c), r.expr(e.Rhs, c)
		if e.Operator == "%" {
			return callOf(e, nameModulo, single(e.Lhs), single(e.Rhs))
		}
	case *ast.StringConcatOpExpr:
		return r.concat(e, c)
	case *ast.UnaryMinusOpExpr:
		e.Expr = r.expr(e.Expr, c)
	case *ast.UnaryNotOpExpr:
		e.Expr = r.expr(e.Expr, c)
	case *ast.UnaryLenOpExpr:
		e.Expr = r.expr(e.Expr, c)
	case *ast.FunctionExpr:
		c.add(closureBytes)
		e.Stmts = r.block(e.Stmts, cost{})
	}
	return e
}

// table rewrites a table's constructor.
func (r *rewriter) table(e *ast.TableExpr, c *cost) {
	c.add(tableBytes)
	for _, f := range e.Fields {
		f.Value = r.expr(f.Value, c)
		if f.Key == nil {
			c.add(2 * slotBytes)
			continue
		}
		c.add(entryBytes)
		if _, named := f.Key.(*ast.StringExpr); !named {
			f.Key = callOf(f.Key, nameKey, single(r.expr(f.Key, c)))
		}
	}
}

// concat rewrites a .. b .. c, of which the operands stand in a chain to the right, into calls.
func (r *rewriter) concat(e *ast.StringConcatOpExpr, c *cost) ast.Expr {
	var operands []ast.Expr
	next := ast.Expr(e)
	for {
		chain, ok := next.(*ast.StringConcatOpExpr)
		if !ok {
			break
		}
		operands = append(operands, r.expr(chain.Lhs, c))
		next = chain.Rhs
	}
	operands = append(operands, r.expr(next, c))
	single(operands[len(operands)-1])
	// From the left: from the right all would wait in registers.
	joined, rest := operands[0], operands[1:]
	for len(rest) > 0 {
		n := min(len(rest), concatAtOnce)
		joined = callOf(e, nameConcat, append([]ast.Expr{joined}, rest[:n]...)...)
		rest = rest[n:]
	}
	return joined
}

// numeral reports whether a number of the source is one: the library takes any other for NaN.
func numeral(s string) bool {
	_, ok := parseNumber(s)
	return ok
}
