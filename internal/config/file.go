package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// clusterSection is the one section with a label and blocks inside.
const clusterSection = "cluster"

// unclosedQuote is the parser's name for it.
const unclosedQuote = "Invalid multi-line string"

// parse turns syntax errors into problems. It returns what could be parsed in any case.
func (l *loader) parse() *hclsyntax.Body {
	if line := l.tooManyOpenings(); line > 0 {
		l.problem("", line, "there are more than %d brackets and operators up to here", maxOpenings)
		l.broken[line] = true
		return &hclsyntax.Body{}
	}
	file, diags := hclsyntax.ParseConfig(l.src, l.path, hcl.InitialPos)
	for _, d := range diags {
		line := 1
		if d.Subject != nil {
			line = max(1, d.Subject.Start.Line)
		}
		if d.Summary == unclosedQuote {
			if !l.broken[line-1] { // it says so of each line up to the next quote
				l.problem("", line, "a quote is opened in this line and not closed")
			}
			l.broken[line] = true
			continue
		}
		if twice := redefined.FindStringSubmatch(d.Detail); twice != nil { // the rest is what was meant
			l.problem("", line, "a second %s; the first is in line %s", twice[1], twice[2])
			continue
		}
		message := strings.Join(strings.Fields(d.Summary+": "+d.Detail), " ")
		l.problem("", line, "%s", printable(message)+l.quotesMissing(line))
		l.broken[line] = true
	}
	if file == nil {
		return &hclsyntax.Body{}
	}
	return file.Body.(*hclsyntax.Body)
}

// maxOpenings bounds the parser's recursion, which costs about 10 KB of stack for each bracket or operator: 64 KB
// of "[" would overflow it. No recover catches that, and it must not happen to a running node that reloads its
// file.
const maxOpenings = 2000

// tooManyOpenings returns the line where the file exceeds maxOpenings, or 0.
func (l *loader) tooManyOpenings() int {
	tokens, _ := hclsyntax.LexConfig(l.src, l.path, hcl.InitialPos) // the parser reports the same
	n := 0
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenTemplateInterp,
			hclsyntax.TokenTemplateControl, hclsyntax.TokenQuestion, hclsyntax.TokenBang, hclsyntax.TokenMinus:
			if n++; n > maxOpenings {
				return t.Range.Start.Line
			}
		}
	}
	return 0
}

// redefined matches HCL's message for a duplicate key.
var redefined = regexp.MustCompile(`^The argument "([^"]+)" was already set at .*:([0-9]+),`)

var unquotedQuantity = regexp.MustCompile(`=\s*([0-9.]+[A-Za-z]+)\s*(#.*|//.*)?$`)

// quotesMissing explains what HCL calls a missing newline: max_value_size = 512KiB.
func (l *loader) quotesMissing(line int) string {
	if line > len(l.lines) {
		return ""
	}
	found := unquotedQuantity.FindStringSubmatch(strings.TrimSpace(l.lines[line-1]))
	if found == nil {
		return ""
	}
	return fmt.Sprintf(" Sizes and durations are written in quotes: %q.", found[1])
}

func hasCluster(body *hclsyntax.Body) bool {
	return slices.ContainsFunc(body.Blocks, func(b *hclsyntax.Block) bool { return b.Type == clusterSection })
}

// section reads the keys and blocks of one block, or of the top level ("").
func (l *loader) section(body *hclsyntax.Body, section string) {
	for _, name := range slices.Sorted(maps.Keys(body.Attributes)) {
		attr := body.Attributes[name]
		s := settingBy(join(section, name))
		if s == nil {
			l.problem("", attr.NameRange.Start.Line, "unknown key %q%s%s", name, inSection(section), whereElse(section, name))
			continue
		}
		value, ok := l.literal(attr, s.literal)
		if !ok {
			continue
		}
		l.cfg.origins[s.key] = origin{l.path, value.line}
		if err := s.set(l.cfg, value.text); err != nil {
			l.problem("", value.line, "%s: %v", name, err)
		}
	}
	first := map[string]int{}
	for _, block := range body.Blocks {
		line := block.TypeRange.Start.Line
		if at, ok := first[block.Type]; ok && block.Type != "node" {
			l.problem("", line, "a second %s block; the first is in line %d", block.Type, at)
			continue
		}
		first[block.Type] = line
		l.block(block, section, line)
	}
}

func (l *loader) block(block *hclsyntax.Block, section string, line int) {
	blocks := blockNames(section)
	switch {
	case section == clusterSection && block.Type == "node":
		l.node(block, line)
	case section == "" && block.Type == clusterSection:
		l.clusterBlock(block, line)
	case slices.Contains(blocks, block.Type):
		if len(block.Labels) > 0 {
			l.problem("", line, "a %s block has no name: write %s { … }", block.Type, block.Type)
		}
		l.section(block.Body, block.Type)
	case len(l.broken) > 0 && section != "" && slices.Contains(blockNames(""), block.Type):
		l.block(block, "", line) // the one around it is not closed
	case settingBy(join(section, block.Type)) != nil:
		l.problem("", line, "%q is a key, not a block: write %s = …", block.Type, block.Type)
	default:
		l.problem("", line, "unknown block %q%s%s", block.Type, inSection(section), didYouMean(block.Type, blocks))
	}
}

// blockNames returns the blocks that section may contain.
func blockNames(section string) (names []string) {
	switch section {
	case clusterSection:
		return []string{"node"}
	case "":
		for _, s := range settings {
			if n := s.section(); n != "" && !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
	}
	return names
}

// whereElse returns a hint for an unknown key: it is a block, belongs elsewhere, or resembles another one.
func whereElse(section, name string) string {
	if slices.Contains(blockNames(section), name) {
		return fmt.Sprintf("; it is a block: write %s { … }", name)
	}
	var here []string
	for _, s := range settings {
		switch {
		case s.section() == section:
			here = append(here, s.name())
		case s.name() == name && s.section() == "":
			return "; it belongs outside of all blocks"
		case s.name() == name:
			return fmt.Sprintf("; it belongs in the %s block", s.section())
		}
	}
	return didYouMean(name, here)
}

func inSection(section string) string {
	if section == "" {
		return ""
	}
	return " in " + section
}

func join(section, name string) string {
	if section == "" {
		return name
	}
	return section + "." + name
}
