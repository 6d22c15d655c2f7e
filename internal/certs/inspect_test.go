package certs

import (
	"crypto/rand"
	"crypto/x509"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// What would not work is said, and what works is not called broken.
func TestInspect(t *testing.T) {
	now := time.Now()
	a, dir := newAuthority(t), t.TempDir()
	if err := a.Write(dir); err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(dir, AuthorityFile)
	good, _ := issue(t, a, dir, "good", now, 100)
	soon, soonKey := issue(t, a, dir, "soon", now, 10)
	if err := os.Chmod(soonKey, 0o644); err != nil {
		t.Fatal(err)
	}
	old, _ := issue(t, a, dir, "old", now.AddDate(0, 0, -20), 10)
	later, _ := issue(t, a, dir, "later", now.AddDate(0, 0, 2), 100)
	foreign, _ := issue(t, newAuthority(t), dir, "foreign", now, 100)
	wild, _ := issue(t, a, dir, "*.example", now, 100)
	odd, oddKey := issue(t, a, dir, "odd", now, 100)
	_, otherKey := issue(t, a, dir, "other", now, 100)
	if err := os.Rename(otherKey, oddKey); err != nil {
		t.Fatal(err)
	}
	template, err := newTemplate("common", now, now.AddDate(1, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	common := filepath.Join(dir, "common.pem")
	if err := os.WriteFile(common, encodeCertificate(der), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]struct{ broken, warned string }{
		ca: {}, good: {},
		soon:    {"", "it expires in 9 days;" + soonKey + " can be read by everybody"},
		old:     {"it has expired", ""},
		later:   {"it is not valid yet", ""},
		foreign: {"none of the authorities here vouches for it", ""},
		wild:    {"", "a wildcard stands for no node"},
		odd:     {oddKey + " is not its key", ""},
		common:  {"it has no DNS name", "a node cannot open connections with it"},
	} {
		all, err := Inspect([]string{file, ca}, now)
		if err != nil {
			t.Fatal(err)
		}
		got := all[0]
		for _, x := range []struct {
			got  []string
			want string
		}{{got.Broken, want.broken}, {got.Warnings, want.warned}} {
			if (len(x.got) == 0) != (x.want == "") {
				t.Errorf("%s: %q, want %q", file, x.got, x.want)
			}
			for part := range strings.SplitSeq(x.want, ";") {
				if !strings.Contains(strings.Join(x.got, ";"), part) {
					t.Errorf("%s: %q, want %q", file, x.got, part)
				}
			}
		}
		if got.Authority != (file == ca) || got.Key != "ECDSA P-256" || got.File != file {
			t.Errorf("%s: %+v", file, got)
		}
		if file == good && !slices.Equal(got.Names, []string{"good", "host.example"}) {
			t.Errorf("names %q", got.Names)
		}
	}
	// Without an authority among the files nothing is said about who vouches.
	if all, err := Inspect([]string{foreign}, now); err != nil || len(all[0].Broken) > 0 {
		t.Errorf("%v, %v", all, err)
	}
	if _, err := Inspect([]string{oddKey}, now); err == nil {
		t.Error("a key is no certificate")
	}
}
