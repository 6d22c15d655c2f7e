package config

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
)

// Options say where to look. The functions stand in for the machine and are replaced in tests; nil is the real one.
type Options struct {
	// Path is the -config flag. Empty: CIDERD_CONFIG; empty too: a single node with the defaults.
	Path string
	// Node is the -node flag. Empty: CIDERD_NODE; empty too: found by host name or address.
	Node string
	// AnyNode says that it does not matter which node this is: none is looked for, and the result has none's own
	// settings.
	AnyNode bool

	Environ        func() []string // os.Environ; all CIDERD_* variables are looked at
	Hostname       func() (string, error)
	InterfaceAddrs func() ([]net.Addr, error)
}

// Load returns the configuration of this node, or an ErrorList with everything that is wrong.
func Load(o Options) (*Config, error) {
	l := newLoader(o)
	var src []byte
	if l.path != "" {
		var err error
		if src, err = readFile(l.path); err != nil {
			l.problems = append(l.problems, Problem{Where: l.path, Message: err.Error()})
			return nil, l.problems
		}
	}
	c, err := l.load(src)
	if err != nil {
		return nil, err
	}
	c.options = o
	return c, nil
}

// Again reads the file and the variables again, from where this configuration came from. Errors are those of Load.
func (c *Config) Again() (*Config, error) { return Load(c.options) }

// File returns the file that this configuration was read from; empty: there was none.
func (c *Config) File() string { return newLoader(c.options).path }

// readFile reads a file of at most maxFileSize.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("the file cannot be read: %w", err)
	}
	defer f.Close()
	src, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("the file cannot be read: %w", err)
	}
	if len(src) > maxFileSize {
		return nil, fmt.Errorf("the file has more than %d bytes", maxFileSize)
	}
	return src, nil
}

// loader collects a Config and what is wrong with it, in the order of precedence from low to high.
type loader struct {
	Options
	path  string   // of the file, "" without one
	src   []byte   // of the file
	lines []string // of src

	env      map[string]string // CIDERD_* variables that are set and not empty
	cfg      *Config
	cluster  *clusterBlock // nil without one
	broken   map[int]bool  // lines with bad syntax; with any, nothing can be called missing
	problems ErrorList
}

func newLoader(o Options) *loader {
	if o.Environ == nil {
		o.Environ = os.Environ
	}
	if o.Hostname == nil {
		o.Hostname = os.Hostname
	}
	if o.InterfaceAddrs == nil {
		o.InterfaceAddrs = net.InterfaceAddrs
	}
	l := &loader{Options: o, path: o.Path, broken: map[int]bool{}}
	l.readEnviron()
	if l.path == "" {
		l.path = l.env[environFile]
	}
	return l
}

func (l *loader) load(src []byte) (*Config, error) {
	l.src, l.lines = src, strings.Split(string(src), "\n")
	body := l.parse()
	l.cfg = defaults(!hasCluster(body))
	l.section(body, "")
	inFile := *l.cfg // what all nodes read
	l.applyEnviron()
	switch {
	case len(l.broken) > 0:
		l.checkWhatIsThere(&inFile)
	case l.path != "" && len(body.Attributes) == 0 && len(body.Blocks) == 0:
		l.problem("", 1, "the file is empty: without a file ciderd is a single node for trying out, with an empty one it is a mistake")
	case l.cluster != nil:
		l.joinCluster(&inFile)
	default:
		l.standAlone()
	}
	if len(l.problems) > 0 {
		l.problems.sort()
		return nil, l.problems
	}
	return l.cfg, nil
}

// standAlone makes the node of a single-node cluster. -node only names it.
func (l *loader) standAlone() {
	name, origin := l.wantedNode()
	if name == "" {
		name = singleNode
	} else if !validName(name) {
		l.problem(origin, 0, "%q is not a node name: 1 to %d of A-Z a-z 0-9 . _ -", name, maxNameLen)
	}
	l.cfg.NodeName, l.cfg.Peer = name, "" // no other node will call: nothing to listen for
	l.checkOwnPorts()
	checkEncryption(l)
	if _, said := l.cfg.origins["listen.redis"]; l.path == "" && !said {
		l.cfg.Redis, l.cfg.RedisByDefault = singleRedis, true
	}
	own := Node{Name: name}
	if text, err := parseListen(l.cfg.Text); err == nil {
		if text.everywhere() {
			text.host = "localhost"
		}
		own.TextAddress = text.String()
	}
	l.cfg.Nodes = []Node{own}
}

// problem notes a problem at a line of the file (where empty), or elsewhere.
func (l *loader) problem(where string, line int, format string, args ...any) {
	p := Problem{Where: where, Line: line, Message: fmt.Sprintf(format, args...)}
	if where == "" {
		if l.broken[line] {
			return // whatever follows from that is noise
		}
		p.Where = l.path
		if 0 < line && line <= len(l.lines) {
			p.Source = printable(l.lines[line-1])
		}
	} else if value, ok := l.env[where]; ok {
		p.Source = printable(where + "=" + value)
	}
	l.problems = append(l.problems, p)
}
