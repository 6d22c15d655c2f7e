package harness

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Status asks for STATUS and gives its `name value` lines.
func (c *Client) Status() (map[string]string, error) { return c.facts("STATUS") }

// Stats asks for STATS and gives its numbers. What is not there ("-") is left out.
func (c *Client) Stats() (map[string]int64, error) {
	facts, err := c.facts("STATS")
	if err != nil {
		return nil, err
	}
	numbers := make(map[string]int64, len(facts))
	for name, value := range facts {
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			numbers[name] = n
		}
	}
	return numbers, nil
}

// Notices gives what STATUS has an operator know.
func (c *Client) Notices() (texts []string, err error) {
	lines, err := c.DoLines("STATUS")
	for _, line := range lines {
		if text, ok := strings.CutPrefix(line, "notice "); ok {
			texts = append(texts, text)
		}
	}
	return texts, err
}

func (c *Client) facts(verb string) (map[string]string, error) {
	lines, err := c.DoLines(verb)
	if err != nil {
		return nil, err
	}
	fields := make(map[string]string, len(lines))
	for _, line := range lines {
		name, value, _ := strings.Cut(line, " ")
		fields[name] = value
	}
	return fields, nil
}

// Anonymous gives the anonymous resident memory of the node's process, in bytes.
func (n *Node) Anonymous() (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.Pid()))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "RssAnon:" {
			kib, err := strconv.ParseInt(f[1], 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("%s: no RssAnon", n.Name)
}
