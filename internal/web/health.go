package web

import (
	"fmt"
	"net/http"
	"strings"

	"ciderd/internal/report"
)

// health is one health check: it is answered 200 if none of its conditions has a reason against it.
type health struct {
	path       string
	conditions []condition
}

// condition is a part of it; not returns why it does not hold.
type condition struct {
	name string
	not  func(*report.Report) string
}

var (
	reads    = condition{"reads", (*report.Report).NotReady}
	leader   = condition{"leader", noLeader}
	writes   = condition{"writes", (*report.Report).NotWritable}
	leads    = condition{"leads", notLeading}
	healths  = []health{{"/health/live", nil}, {"/health/ready", []condition{reads}}, {"/health/writable", []condition{reads, leader, writes}}, {"/health/leader", []condition{leads}}}
	liveLine = "[+] live\n"
)

func noLeader(r *report.Report) string {
	if r.Leader == "" {
		return "no leader"
	}
	return ""
}

func notLeading(r *report.Report) string {
	switch r.Leader {
	case "":
		return "no leader"
	case r.Node:
		return ""
	}
	return r.Leader + " leads"
}

// serve answers 200, or 503 with the reason; with ?verbose each condition on a line.
func (h *health) serve(reports func() report.Report) http.HandlerFunc {
	return func(w http.ResponseWriter, q *http.Request) {
		r := reports()
		why := ""
		lines := strings.Builder{}
		lines.WriteString(liveLine)
		for _, c := range h.conditions {
			not := c.not(&r)
			if not == "" {
				fmt.Fprintf(&lines, "[+] %s\n", c.name)
				continue
			}
			fmt.Fprintf(&lines, "[-] %s: %s\n", c.name, not)
			why = not
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if why != "" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		switch {
		case q.URL.Query().Has("verbose"):
			fmt.Fprint(w, lines.String())
		case why != "":
			fmt.Fprintln(w, why)
		}
	}
}
