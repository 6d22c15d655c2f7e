package auth

import "testing"

func TestAddrKey(t *testing.T) {
	for addr, want := range map[string]string{
		"10.0.0.1:4711":                 "10.0.0.1",
		"10.0.0.1":                      "10.0.0.1",
		"[::ffff:10.0.0.1]:4711":        "10.0.0.1",
		"[2001:db8:1:2:3:4:5:6]:4711":   "2001:db8:1:2::/64",
		"2001:db8:1:2:ffff::1":          "2001:db8:1:2::/64",
		"[fe80::1%eth0]:4711":           "fe80::/64",
		"2001:db8:1:2::/64":             "2001:db8:1:2::/64",
		"/run/ciderd.sock":              "/run/ciderd.sock",
		"":                              "",
		string(make([]byte, 300)) + "x": string(make([]byte, 255)),
	} {
		if got := addrKey(addr); got != want {
			t.Errorf("addrKey(%q) = %q, want %q", addr, got, want)
		}
	}
}

func TestGroups(t *testing.T) {
	for addr, want := range map[string][2]string{
		"10.1.2.3:4711":          {"10.1.2.0/24", "10.1.2.0/24"},
		"[::ffff:10.1.2.3]:4711": {"10.1.2.0/24", "10.1.2.0/24"},
		"2001:db8:1:2ff::5":      {"2001:db8:1::/48", "2001:db8:1:200::/56"},
		"2001:db8:1:300::5":      {"2001:db8:1::/48", "2001:db8:1:300::/56"},
		"/run/ciderd.sock":       {"/run/ciderd.sock", "/run/ciderd.sock"},
		"10.1.2.0/24":            {"10.1.2.0/24", "10.1.2.0/24"}, // no address, so itself
		"":                       {"", ""},
	} {
		if wide, narrow := groups(addrKey(addr)); wide != want[0] || narrow != want[1] {
			t.Errorf("groups of %q: %q and %q, want %q", addr, wide, narrow, want)
		}
	}
}
