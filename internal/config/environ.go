package config

import (
	"regexp"
	"slices"
	"strings"
)

// serviceVariable matches what Kubernetes and Docker links set themselves when a service is called ciderd:
// CIDERD_SERVICE_HOST, CIDERD_PORT_8080_TCP_ADDR, …
var serviceVariable = regexp.MustCompile(`^CIDERD(_[A-Z0-9_]+)?_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_[A-Z]+)?)?)$`)

// environNames returns the names of all variables.
func environNames() []string {
	names := []string{environFile, environNodeName}
	for _, s := range settings {
		names = append(names, s.environ())
	}
	return names
}

// readEnviron keeps the CIDERD_* variables. An empty one counts as unset. The value of an unknown one is not shown:
// it could be anything.
func (l *loader) readEnviron() {
	l.env = map[string]string{}
	names := environNames()
	for _, assignment := range l.Environ() {
		name, value, _ := strings.Cut(assignment, "=")
		switch {
		case !strings.HasPrefix(name, environPrefix) || serviceVariable.MatchString(name):
		case !slices.Contains(names, name):
			l.problem(printable(name), 0, "there is no such variable%s", l.suggestVariable(name, names))
		case value != "":
			l.env[name] = value
		}
	}
}

// suggestVariable compares names without the prefix, which would make them all similar.
func (l *loader) suggestVariable(name string, names []string) string {
	short := make([]string, len(names))
	for i, n := range names {
		short[i] = strings.TrimPrefix(n, environPrefix)
	}
	found := didYouMean(strings.TrimPrefix(name, environPrefix), short)
	return strings.Replace(found, `"`, `"`+environPrefix, 1)
}

// applyEnviron overrides what the file says with the variables.
func (l *loader) applyEnviron() {
	for i := range settings {
		s := &settings[i]
		name := s.environ()
		value, ok := l.env[name]
		if !ok {
			continue
		}
		l.cfg.origins[s.key] = origin{where: name}
		if err := s.set(l.cfg, value); err != nil {
			l.problem(name, 0, "%v", err)
		}
	}
}
