package admin

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/admin/api"
)

// FuzzRequest: whatever comes in, the answer is one of those that the package promises, and the
// node is asked only by a request that was accepted.
func FuzzRequest(f *testing.F) {
	for _, path := range []string{"/change", "/users", "/members"} {
		for _, body := range []string{"", "{}", `{"Op":"add","Name":"n1"}`, `{"Name":"bob","Password":"cHc="}`, "[1]", "{\"Op\":", "null"} {
			f.Add(path, body, "n1")
		}
	}
	f.Add("/change", "{}", "n2")
	f.Fuzz(func(t *testing.T, path, body, node string) {
		if path != "/change" && path != "/users" && path != "/members" {
			return
		}
		fake := &fakeNode{began: make(chan struct{})}
		s := &Server{config: Config{Name: "n1", Members: fake, Users: fake, Log: hclog.NewNullLogger()}}
		method := "POST"
		if path == "/members" {
			method = "GET"
		}
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set(api.NodeHeader, node)
		if strings.Contains(body, "hang") {
			return
		}
		w := httptest.NewRecorder()
		s.handler().ServeHTTP(w, r)
		switch {
		case w.Code != 200 && w.Code != 400 && w.Code != 421:
			t.Errorf("status %d", w.Code)
		case w.Code != 200 && fake.asked != "":
			t.Errorf("status %d, and the node was asked for %q", w.Code, fake.asked)
		case (node == "" || node == "n1") == (w.Code == 421):
			t.Errorf("status %d for the node %q", w.Code, node)
		}
	})
}
