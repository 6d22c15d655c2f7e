package web

import (
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
	s := New(func() report.Report { return *r }, hclog.NewNullLogger())
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
