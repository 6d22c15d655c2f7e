package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// located is a text and its line.
type located struct {
	text string
	line int
}

// literal reads a value that must be written out; if it is not, that is noted as a problem and ok is false.
// Expressions would be one more language to learn, and loops in them could run forever.
func (l *loader) literal(attr *hclsyntax.Attribute, want literalKind) (v located, ok bool) {
	v.line = attr.Expr.Range().Start.Line
	if want == list {
		var err error
		if v.text, err = literals(attr.Expr); err != nil {
			l.problem("", v.line, "%s: %v", attr.Name, err)
		}
		return v, err == nil
	}
	value, err := literalValue(attr.Expr)
	if err == nil {
		v.text, err = literalText(value, want, l.source(attr.Expr.Range()))
	}
	if err != nil {
		l.problem("", v.line, "%s: %v", attr.Name, err)
	}
	return v, err == nil
}

// literals reads a list of texts, and returns them with commas between them.
func literals(expr hclsyntax.Expression) (string, error) {
	all, ok := expr.(*hclsyntax.TupleConsExpr)
	if !ok {
		return "", errors.New(`it is a list: ["…", "…"]`)
	}
	var texts []string
	for _, e := range all.Exprs {
		value, err := literalValue(e)
		if err != nil {
			return "", err
		}
		text, err := literalText(value, quoted, "")
		if err != nil {
			return "", fmt.Errorf("in the list: %w", err)
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ","), nil
}

func literalValue(expr hclsyntax.Expression) (cty.Value, error) {
	switch e := expr.(type) {
	case *hclsyntax.LiteralValueExpr:
		return e.Val, nil
	case *hclsyntax.UnaryOpExpr: // -5
		if inner, ok := e.Val.(*hclsyntax.LiteralValueExpr); ok && e.Op == hclsyntax.OpNegate {
			return inner.Val, nil // its text has the minus
		}
	case *hclsyntax.TemplateExpr:
		var b strings.Builder
		for _, part := range e.Parts {
			literal, ok := part.(*hclsyntax.LiteralValueExpr)
			if !ok || literal.Val.Type() != cty.String || literal.Val.IsNull() {
				return cty.NilVal, errors.New(`write the value out, without ${ } or %{ } in it`)
			}
			b.WriteString(literal.Val.AsString())
		}
		return cty.StringVal(b.String()), nil
	case *hclsyntax.ScopeTraversalExpr:
		if name := e.Traversal.RootName(); len(e.Traversal) == 1 {
			return cty.NilVal, fmt.Errorf("it needs quotes: %q", name)
		}
	}
	return cty.NilVal, errors.New("write the value out: no lists, variables, functions or calculations")
}

// literalText checks the type. Numbers are kept as they are written, in source.
func literalText(v cty.Value, want literalKind, source string) (string, error) {
	switch {
	case v.IsNull():
		return "", errors.New("null is no value: leave the key out for its default")
	case v.Type() == cty.String && (want == quoted || want == measured):
		return v.AsString(), nil
	case v.Type() == cty.Number && (want == number || want == measured):
		return source, nil // the parser of sizes and durations says what a bare number lacks
	case v.Type() == cty.Bool && want == boolean:
		return source, nil
	case want == quoted, want == measured:
		return "", errors.New("it is written in quotes")
	case want == number:
		return "", errors.New("it is a number, without quotes")
	}
	return "", errors.New("it is true or false, without quotes")
}

// source returns what the file says in r.
func (l *loader) source(r hcl.Range) string {
	if !r.CanSliceBytes(l.src) {
		return ""
	}
	return string(r.SliceBytes(l.src))
}
