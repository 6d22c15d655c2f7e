package web

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"ciderd/internal/cluster"
	"ciderd/internal/report"
)

// The page is one document that fetches nothing from elsewhere, and its policy lets exactly its own script and style run.
func TestPage(t *testing.T) {
	url := serve(t, &report.Report{Status: cluster.Status{Node: "n1"}})
	response, err := http.Get(url + "/")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	code, body := get(t, url+"/")
	if code != 200 || response.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%d, %s", code, response.Header.Get("Content-Type"))
	}
	policy := response.Header.Get("Content-Security-Policy")
	for _, directive := range []string{"default-src 'none'", "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, directive) {
			t.Errorf("the policy has no %s: %s", directive, policy)
		}
	}
	for _, loose := range []string{"unsafe", "*", "http"} {
		if strings.Contains(policy, loose) {
			t.Errorf("the policy has %s: %s", loose, policy)
		}
	}
	for _, element := range []string{"style", "script"} {
		found := regexp.MustCompile(`(?s)<`+element+`>(.*?)</`+element+`>`).FindAllStringSubmatch(body, -1)
		if len(found) != 1 || len(found[0][1]) < 1000 {
			t.Fatalf("%d of %s", len(found), element)
		}
		sum := sha256.Sum256([]byte(found[0][1]))
		if want := element + "-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(policy, want) {
			t.Errorf("the policy lets another %s run: %s", element, policy)
		}
	}
	for what, wrong := range map[string]string{
		"a handler in an attribute": `<[^>]*\son[a-z]+=`, "a style in an attribute": `<[^>]*\sstyle=`, "something from elsewhere": `(src|href)="(https?:)?//`,
		"an import": `@import|url\(`, "markup out of text": `innerHTML|insertAdjacentHTML|document\.write|\beval\(`,
	} {
		if found := regexp.MustCompile(wrong).FindString(body); found != "" {
			t.Errorf("%s: %q", what, found)
		}
	}
}

// The page and its past are for whoever asks under a name of this node; no other path is a page.
func TestPageHosts(t *testing.T) {
	url := serve(t, &report.Report{})
	for _, path := range []string{"/", "/status/history"} {
		for host, want := range map[string]int{"": 200, "127.0.0.1:8081": 200, "status.example": 200, "evil.example": 421} {
			if code := getAs(t, url+path, host); code != want {
				t.Errorf("%s as %q: %d, want %d", path, host, code, want)
			}
		}
	}
	for _, path := range []string{"/index.html", "/page/page.js", "/favicon.ico", "/status/"} {
		if code, _ := get(t, url+path); code != 404 {
			t.Errorf("%s: %d", path, code)
		}
	}
	response, err := http.Post(url+"/", "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	if response.Body.Close(); response.StatusCode != 405 {
		t.Errorf("POST: %d", response.StatusCode)
	}
}

func TestPast(t *testing.T) {
	_, body := get(t, serve(t, &report.Report{Status: cluster.Status{Node: "n1"}})+"/status/history")
	var past report.Past
	if err := json.Unmarshal([]byte(body), &past); err != nil || past.Node != "n1" || len(past.Steps) != 1 || past.Events[0].Text != "hello" {
		t.Errorf("%v: %s", err, body)
	}
}
