package script

import (
	"math"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

func stringGsub(l *lua.LState) int {
	s, pattern := checkText(l, 1), checkText(l, 2)
	most := math.MaxInt
	if l.Get(4) != lua.LNil {
		most = integer(l.CheckNumber(4))
	}
	replace := l.Get(3)
	switch replace.Type() {
	case lua.LTString, lua.LTNumber, lua.LTTable, lua.LTFunction:
	default:
		l.ArgError(3, "string/function/table expected")
	}
	budget := of(l)
	var b strings.Builder
	add := func(part string) {
		budget.charge(l, 2*len(part)) // it doubles as it grows
		b.WriteString(part)
	}
	m := newMatcher(l, s, pattern)
	from, n := 0, 0
	for n < most {
		budget.work(l, 1)
		m.reset()
		end, ok := m.match(from, 0)
		if ok {
			n++
			add(m.replacement(replace, from, end))
		}
		switch {
		case ok && end > from:
			from = end
		case from < len(s):
			budget.charge(l, 2)
			b.WriteByte(s[from])
			from++
		default:
			from++
		}
		if from > len(s) || m.anchored {
			break
		}
	}
	if from < len(s) {
		add(s[from:])
	}
	return pushAll(l, lua.LString(b.String()), lua.LNumber(n))
}

// replacement is what comes in place of a match.
func (m *matcher) replacement(replace lua.LValue, start, end int) string {
	whole := m.s[start:end]
	var v lua.LValue
	switch r := replace.(type) {
	case *lua.LTable:
		v = m.l.GetTable(r, m.capturesOr(start, end)[0])
	case *lua.LFunction:
		v = call(m.l, r, 1, m.capturesOr(start, end)...)[0]
	default:
		template, _ := text(replace)
		return m.filled(template, start, end)
	}
	if !lua.LVAsBool(v) {
		return whole
	}
	s, ok := text(v)
	if !ok {
		m.l.RaiseError("invalid replacement value (a %s)", v.Type().String())
	}
	return s
}

// filled is a template with the captures in place of %0 to %9.
func (m *matcher) filled(template string, start, end int) string {
	if !strings.Contains(template, "%") {
		return template
	}
	var b strings.Builder
	for i := 0; i < len(template); i++ {
		c := template[i]
		if c != '%' || i+1 == len(template) {
			b.WriteByte(c)
			continue
		}
		i++
		part := template[i : i+1]
		switch d := template[i]; {
		case d == '0':
			part = m.s[start:end]
		case d == '1' && m.level == 0:
			part = m.s[start:end]
		case d >= '1' && d <= '9':
			part, _ = text(m.capture(int(d - '1')))
		}
		of(m.l).charge(m.l, 2*len(part))
		b.WriteString(part)
	}
	return b.String()
}
