package cli

import (
	"io"

	"ciderd/internal/admin/api"
	"ciderd/internal/doctor"
	"ciderd/internal/report"
)

// Doctor is the verb that says what is wrong, why it matters and what to do about it.
func Doctor() Verb {
	return Verb{
		Name: "doctor", Summary: "say what is wrong, why it matters, and the cure", Group: ToANode, Facts: true,
		Text: `It asks all nodes, and looks at leadership, lag, elections, the disks and their
sync times, memory, login queues, descriptors, connections, clocks,
certificates, versions, and files that differ. What is worst comes first.

Exit codes, as those of status: 0 healthy (advice leaves it so), 1 degraded or
no node at the socket, 2 no leader known, or none that has a majority.`,
		Run: examine,
	}
}

// Diagnosis is what doctor prints as JSON.
type Diagnosis struct {
	Verdict, Sentence string
	Asked             string // the node that found this
	Findings          []report.Finding
}

func examine(c *Call) error {
	r, err := ask(c, api.Status, struct{}{})
	if err != nil {
		return err
	}
	o := &r.Overview
	said := Diagnosis{Verdict: o.Verdict, Sentence: o.Sentence, Asked: o.Asked, Findings: append([]report.Finding{}, o.Findings...)}
	if err := c.Print(said, func(w io.Writer) error { doctor.Write(w, o); return nil }); err != nil {
		return err
	}
	return exitOf(&r)
}
