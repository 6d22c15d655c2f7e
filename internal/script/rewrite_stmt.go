package script

import (
	"slices"
	"strconv"

	"github.com/yuin/gopher-lua/ast"
)

// statement rewrites a statement, and adds what it costs each time that it is run.
func (r *rewriter) statement(s ast.Stmt, c *cost) ast.Stmt {
	switch s := s.(type) {
	case *ast.AssignStmt:
		return r.assign(s, c)
	case *ast.LocalAssignStmt:
		r.exprs(s.Exprs, c)
	case *ast.FuncCallStmt:
		s.Expr = r.expr(s.Expr, c)
	case *ast.DoBlockStmt:
		s.Stmts = r.block(s.Stmts, cost{})
	case *ast.WhileStmt:
		var each cost
		s.Condition = r.expr(s.Condition, &each)
		s.Stmts = r.loop(s, s.Stmts, each)
		c.join(each)
	case *ast.RepeatStmt:
		var each cost
		s.Condition = r.expr(s.Condition, &each)
		s.Stmts = r.loop(s, s.Stmts, each)
	case *ast.IfStmt:
		s.Condition = r.expr(s.Condition, c)
		s.Then, s.Else = r.block(s.Then, cost{}), r.block(s.Else, cost{})
	case *ast.NumberForStmt:
		s.Init, s.Limit = r.expr(s.Init, c), r.expr(s.Limit, c)
		if s.Step != nil {
			s.Step = r.expr(s.Step, c)
		}
		s.Stmts = r.block(s.Stmts, cost{})
	case *ast.GenericForStmt:
		r.exprs(s.Exprs, c)
		s.Stmts = r.block(s.Stmts, cost{})
	case *ast.FuncDefStmt:
		c.add(closureBytes + entryBytes)
		s.Func.Stmts = r.block(s.Func.Stmts, cost{})
	case *ast.ReturnStmt:
		if len(s.Exprs) == 1 {
			if call, ok := s.Exprs[0].(*ast.FuncCallExpr); ok && !call.AdjustRet {
				c.add(tailBytes)
			}
		}
		r.exprs(s.Exprs, c)
	case *ast.GotoStmt, *ast.LabelStmt:
		r.fail(s, "'=' expected near 'goto'")
	}
	return s
}

func (r *rewriter) fail(at ast.PositionHolder, text string) {
	if r.err == nil {
		r.err = &syntaxError{line: at.Line(), text: text}
	}
}

// assign rewrites an assignment. Where a key is not a name, what the store takes depends on it. One of several values is
// rewritten in any case: the library assigns one after the other, so that a, b = b, a makes both the same.
func (r *rewriter) assign(s *ast.AssignStmt, c *cost) ast.Stmt {
	stores := false
	for i, left := range s.Lhs {
		get, ok := left.(*ast.AttrGetExpr)
		if !ok {
			continue
		}
		_, named := get.Key.(*ast.StringExpr)
		if stores = stores || !named; named {
			c.add(entryBytes)
		}
		s.Lhs[i] = r.expr(get, c)
	}
	r.exprs(s.Rhs, c)
	switch {
	case len(s.Lhs) > 1 || len(s.Rhs) > 1:
		return r.assignMany(s)
	case !stores:
		return s
	}
	get := s.Lhs[0].(*ast.AttrGetExpr)
	return callStatement(s, nameStore, get.Object, get.Key, single(s.Rhs[0]))
}

// assignMany evaluates everything into locals that no script can name, and then stores.
func (r *rewriter) assignMany(s *ast.AssignStmt) ast.Stmt {
	at := func(node ast.PositionHolder) {
		node.SetLine(s.Line())
		node.SetLastLine(s.LastLine())
	}
	local := func(kind string, i int) *ast.IdentExpr {
		e := &ast.IdentExpr{Value: "\x00" + kind + strconv.Itoa(i)}
		at(e)
		return e
	}
	places, values := &ast.LocalAssignStmt{}, &ast.LocalAssignStmt{Exprs: s.Rhs}
	var stores []ast.Stmt
	for i, left := range s.Lhs {
		value := local("v", i)
		values.Names = append(values.Names, value.Value)
		if get, ok := left.(*ast.AttrGetExpr); ok {
			table, key := local("t", i), local("k", i)
			places.Names = append(places.Names, table.Value, key.Value)
			places.Exprs = append(places.Exprs, single(get.Object), single(get.Key))
			stores = append(stores, callStatement(s, nameStore, table, key, value))
			continue
		}
		set := &ast.AssignStmt{Lhs: []ast.Expr{left}, Rhs: []ast.Expr{value}}
		at(set)
		stores = append(stores, set)
	}
	all := &ast.DoBlockStmt{}
	if len(places.Names) > 0 {
		all.Stmts = append(all.Stmts, places)
	}
	slices.Reverse(stores) // as Lua does: of a, a = 1, 2 the first one stays
	all.Stmts = append(append(all.Stmts, values), stores...)
	for _, node := range []ast.PositionHolder{places, values, all} {
		at(node)
	}
	return all
}

// single makes an expression have one value, as it has where it stands: it is to become the last of some arguments.
func single(e ast.Expr) ast.Expr {
	switch e := e.(type) {
	case *ast.FuncCallExpr:
		e.AdjustRet = true
	case *ast.Comma3Expr:
		e.AdjustRet = true
	}
	return e
}
