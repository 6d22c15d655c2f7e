// Package torture runs a cluster of real ciderd processes, breaks it in every way it knows by a
// seeded schedule, and judges what clients were told meanwhile.
//
// It owns the schedule, the rounds and the report. Below it, rig has the nodes and their machine, load the
// clients, judge the verdicts, and faults what is done to the nodes; plants has the bugs that all this must
// find.
//
// It promises that all its traffic stays in network namespaces of its own, that it ends no process
// and touches no mount, namespace or directory but those it made (their names begin with rig.Prefix),
// that everything is gone when it ends, whichever way, or at its next start, and that a schedule is
// the same for the same seed, number of nodes and faults that the machine can make. After a violation
// the history, the logs and the data directories of that round are kept, in a place that it prints.
// It never looks inside the daemon: what it expects is what the interface promises, and it judges
// nothing by speed.
package torture
