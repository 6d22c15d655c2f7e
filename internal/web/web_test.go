package web

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/cluster"
	"ciderd/internal/report"
)

// serve serves a report that the test may change, and returns where.
func serve(t *testing.T, r *report.Report) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New(Config{
		Report: func() report.Report { return *r }, Full: func(context.Context) report.Full { return report.Full{Report: *r} },
		Past: func() report.Past {
			return report.Past{Node: r.Node, Steps: []report.Step{{At: 1}}, Events: []report.Event{{Text: "hello"}}}
		},
		Metrics: http.NotFoundHandler(), Hosts: func() []string { return []string{"status.example"} },
		Log: hclog.NewNullLogger(),
	})
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return "http://" + l.Addr().String()
}

func get(t *testing.T, url string) (code int, body string) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// Each check says whether it holds, and why it does not.
func TestHealth(t *testing.T) {
	r := report.Report{}
	url := serve(t, &r)
	for _, x := range []struct {
		ready, writes bool
		waiting       string
		wantR, wantW  int
		bodyR, bodyW  string
	}{
		{false, false, "", 503, 503, "starting", "starting"},
		{false, false, "catching up", 503, 503, "catching up", "catching up"},
		{true, false, "no leader", 200, 503, "", "no leader"},
		{true, false, "", 200, 503, "", "a majority of the voters does not answer"},
		{true, true, "", 200, 200, "", ""},
	} {
		r.Status = cluster.Status{Ready: x.ready, Writes: x.writes, Waiting: x.waiting}
		if x.waiting != "no leader" {
			r.Status.Leader = "n1"
		}
		if code, body := get(t, url+"/health/ready"); code != x.wantR || strings.TrimSpace(body) != x.bodyR {
			t.Errorf("%+v: ready %d %q", x, code, body)
		}
		if code, body := get(t, url+"/health/writable"); code != x.wantW || strings.TrimSpace(body) != x.bodyW {
			t.Errorf("%+v: writable %d %q", x, code, body)
		}
		if code, _ := get(t, url+"/health/live"); code != 200 {
			t.Errorf("%+v: live %d", x, code)
		}
	}
}

// The report is JSON with the fields that scripts rely on; what is not served is 404, and writing is refused.
func TestStatus(t *testing.T) {
	r := report.Report{Status: cluster.Status{Node: "n1", Applied: 7, NoSpace: true}, Goroutines: 3}
	url := serve(t, &r)
	code, body := get(t, url+"/status")
	var fields map[string]any
	if err := json.Unmarshal([]byte(body), &fields); code != 200 || err != nil {
		t.Fatalf("%d, %v: %s", code, err, body)
	}
	for name, want := range map[string]any{"Node": "n1", "Applied": 7.0, "NoRoom": true, "Goroutines": 3.0} {
		if fields[name] != want {
			t.Errorf("%s is %v, want %v", name, fields[name], want)
		}
	}
	if code, _ := get(t, url+"/secrets"); code != 404 {
		t.Errorf("another path: %d", code)
	}
	response, err := http.Post(url+"/status", "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	if response.Body.Close(); response.StatusCode != 405 {
		t.Errorf("POST: %d", response.StatusCode)
	}
}

// The report is for whoever asks under an address or a name of this node; checks and metrics for anybody.
func TestHosts(t *testing.T) {
	url := serve(t, &report.Report{Status: cluster.Status{Ready: true}})
	for host, want := range map[string]int{
		"": 200, "127.0.0.1:8081": 200, "[::1]:8081": 200, "::1": 200, "localhost": 200, "LOCALHOST.:8081": 200, "Status.Example:80": 200,
		"evil.example": 421, "127.0.0.1.evil.example": 421, "localhost.evil.example:8081": 421, "status.example.evil": 421, "n1": 421,
	} {
		for path, want := range map[string]int{"/status": want, "/health/ready": 200, "/metrics": 404} { // what the test has for metrics
			if code := getAs(t, url+path, host); code != want {
				t.Errorf("%s as %q: %d, want %d", path, host, code, want)
			}
		}
	}
}

// getAs asks under a name; empty: with no Host at all, as HTTP/1.0 may.
func getAs(t *testing.T, url, host string) (code int) {
	t.Helper()
	address, path, _ := strings.Cut(strings.TrimPrefix(url, "http://"), "/")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	request := "GET /" + path + " HTTP/1.0\r\n"
	if host != "" {
		request += "Host: " + host + "\r\n"
	}
	if _, err := io.WriteString(conn, request+"\r\n"); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}

// A check lists its conditions, and says which one leads.
func TestVerbose(t *testing.T) {
	r := report.Report{Status: cluster.Status{Ready: true, Node: "n1", Leader: "n2"}}
	url := serve(t, &r)
	const want = "[+] live\n[+] reads\n[+] leader\n[-] writes: a majority of the voters does not answer\n"
	if code, body := get(t, url+"/health/writable?verbose"); code != 503 || body != want {
		t.Errorf("%d %q", code, body)
	}
	if code, body := get(t, url+"/health/leader"); code != 503 || body != "n2 leads\n" {
		t.Errorf("on a follower: %d %q", code, body)
	}
	r.Leader = "n1"
	if code, body := get(t, url+"/health/leader"); code != 200 || body != "" {
		t.Errorf("on the leader: %d %q", code, body)
	}
	response, err := http.Head(url + "/health/leader")
	if err != nil {
		t.Fatal(err)
	}
	if response.Body.Close(); response.StatusCode != 200 {
		t.Errorf("HEAD: %d", response.StatusCode)
	}
}
