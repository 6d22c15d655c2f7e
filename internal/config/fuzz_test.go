package config

import (
	"errors"
	"os"
	"strings"
	"testing"

	"ciderd/test/norace"
)

// Whatever the bytes: no panic, and either a Config that is complete or problems that have a line.
func FuzzLoad(f *testing.F) {
	for _, path := range []string{"../../configs/cluster.hcl", "../../configs/cluster-local.hcl"} {
		src, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	for _, s := range []string{
		"", "\xff", "\x00", "\xef\xbb\xbfdata_dir = 5", "cluster", "cluster {", "cluster \"a\" { node { } }", "a = ", "a = <<X\n", "limits { max_users = 1e999999999 }",
		"limits { max_users = -1e9 }", "data_dir = \"${\"", "data_dir = <<X\na\nX\n", "auth { signup = open.door }", "data_dir = a[0]", "data_dir = -\"a\"",
		"data_dir = (5)", "log { level = [1] }", "\r\ndata_dir = \"a\r\n", "cluster \"\" { node \"\" { address = \"\" } }", strings.Repeat("[", 2000),
		"x = " + strings.Repeat("(", 2000), strings.Repeat("a { ", 2000), "cluster \"c\" {\ninsecure_peers=true\nnode \"a\" { address = \"[::%]:1\" }\n}", one,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		if len(src) > maxFileSize {
			t.Skip("Load does not read that far")
		}
		c, err := loadText(machineOf("a", []string{"10.0.0.11"}), string(src))
		if err == nil {
			complete(t, c)
			return
		}
		var list ErrorList
		if !errors.As(err, &list) || len(list) == 0 || c != nil {
			t.Fatalf("%T and %v", err, c)
		}
		for i, p := range list {
			if p.Where != "f.hcl" || p.Line < 1 || p.Message == "" || strings.ContainsAny(p.Message, "\n\x1b") {
				t.Errorf("%+v", p)
			}
			if i > 0 && p.Line < list[i-1].Line {
				t.Errorf("line %d after %d", p.Line, list[i-1].Line)
			}
		}
	})
}

func complete(t *testing.T, c *Config) {
	t.Helper()
	own := 0
	for _, n := range c.Nodes {
		if n.Name == c.NodeName {
			own++
		}
		if !validName(n.Name) || n.TextAddress == "" || (n.PeerAddress == "") != c.Single {
			t.Errorf("node %+v", n)
		}
	}
	if own != 1 || !validName(c.ClusterName) || (c.Peer == "") != c.Single {
		t.Errorf("%+v", c)
	}
	again := defaults(c.Single)
	for _, s := range settings {
		if s.key == "listen.peer" && c.Single {
			continue
		}
		if err := s.set(again, s.get(c)); err != nil || s.get(again) != s.get(c) {
			t.Errorf("%s = %q: %v", s.key, s.get(c), err)
		}
	}
	if c.Describe() == "" {
		t.Error("nothing to describe")
	}
}

// A file of openings only must not overflow the stack of a running node.
func TestDeepNesting(t *testing.T) {
	norace.Alone(t)
	for _, opening := range []string{"[", "{a=", "-", "\"${", "a?", "1+"} {
		_, err := loadText(machineOf("a", nil), "x = [\n"+strings.Repeat(opening, maxFileSize/len(opening)))
		if err == nil || !strings.HasPrefix(err.Error(), "f.hcl:") {
			t.Errorf("%q: %v", opening, err)
		}
	}
	_, err := loadText(machineOf("a", nil), strings.Repeat("a {\n", maxFileSize/4))
	golden(t, err, "f.hcl:2001: there are more than 2000 brackets and operators up to here\n    a {")
}

// What parse takes, format prints, and parse takes again as the same value.
func FuzzQuantity(f *testing.F) {
	for _, s := range []string{"512KiB", "1MB", "1.5h", "0s", "90m", "250ms", "0.1ms", "1d", "5", "", ".", "1..2s", "1e3s", "99999999999999999999d", "0.0000001ms"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, q := range []quantity{sizes, durations} {
			v, err := q.parse(text)
			if err != nil {
				continue
			}
			if again, err := q.parse(q.format(v)); v < 0 || err != nil || again != v && v < 1<<50 { // above, a float has no room for fractions
				t.Errorf("%q is %d, printed %s, which is %d, %v", text, v, q.format(v), again, err)
			}
		}
	})
}

func TestQuantities(t *testing.T) {
	for text, want := range map[string]int64{
		"1KiB": 1 << 10, "1KB": 1000, "1.5MiB": 3 << 19, "2GB": 2e9, "1GiB": 1 << 30, "7B": 7, "1 KiB": 1 << 10,
	} {
		if v, err := sizes.parse(text); err != nil || v != want {
			t.Errorf("%s: %d, %v", text, v, err)
		}
	}
	for text, want := range map[string]int64{
		"5ms": 5e6, "5s": 5e9, "2m": 120e9, "1.5h": 5400e9, "1d": 86400e9, "0s": 0,
	} {
		if v, err := durations.parse(text); err != nil || v != want {
			t.Errorf("%s: %d, %v", text, v, err)
		}
	}
	for _, bad := range []string{"", "s", "5", "5S", "5M", "1h30m", "-1s", "+1s", "1e3s", "5 5s", "0x5s"} {
		if v, err := durations.parse(bad); err == nil {
			t.Errorf("%q is %d", bad, v)
		}
	}
}
