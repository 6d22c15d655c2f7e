// Package torture runs a cluster of real ciderd processes, breaks it in every way it knows by a
// seeded schedule, and judges what clients were told meanwhile.
//
// It promises that all its traffic stays in network namespaces of its own, that it ends no process
// and touches no mount, namespace or directory but those it made (their names begin with prefix),
// that everything is gone when it ends, whichever way, or at its next start, and that a schedule is
// the same for the same seed, number of nodes and faults that the machine can make. After a violation
// the history, the logs and the data directories of that round are kept, in a place that it prints.
// It never looks inside the daemon: what it expects is what the interface promises, and it judges
// nothing by speed.
//
// The files: world.go, needs.go, disk.go, disk_torn.go (over powerfs), links.go, wires.go, node.go and operate.go are the machinery;
// cluster.go the nodes together; load.go, clients.go and deadline_client.go the clients; check*.go,
// linear.go, contents.go, deadlines.go, levels.go and past.go the judges; faults*.go, garbage.go and
// replay.go the faults, table.go what is said of them; schedule.go, play.go, run.go and report.go put
// them together.
package torture
