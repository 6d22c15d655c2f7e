package doctor

import (
	"strings"
	"testing"

	"ciderd/internal/report"
)

func TestWrite(t *testing.T) {
	var b strings.Builder
	Write(&b, &report.Overview{Verdict: report.Healthy, Sentence: "all is well"})
	if got := b.String(); got != "HEALTHY   all is well\n\nnothing found\n" {
		t.Errorf("%q", got)
	}
	b.Reset()
	o := report.Overview{Verdict: report.NoQuorum, Sentence: "writes are not taken", Findings: []report.Finding{
		{Severity: report.Critical, What: "writes are not taken", Why: "no majority", Cure: strings.Repeat("start them ", 10)},
		{Severity: report.Advice, What: "look"},
	}}
	Write(&b, &o)
	const want = `NO QUORUM writes are not taken

critical  writes are not taken
why       no majority
cure      start them start them start them start them start them start them
          start them start them start them start them

advice    look

2 findings, worst first
`
	if got := b.String(); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}
