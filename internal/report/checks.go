package report

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Limits beyond which something is worth a word.
const (
	lagTold     = 5000                   // log entries
	skewTold    = 2000                   // milliseconds
	syncTold    = 100 * time.Millisecond // a percentile
	waitingTold = 64                     // logins
	memoryTold  = 0.95                   // of the limit, and of the machine
	filesTold   = 0.9                    // of descriptors
	changesTold = 3                      // of the leader, in a quarter of an hour
	wrongTold   = 100                    // logins with wrong passwords, in a minute
	expiresTold = 30 * 24 * time.Hour
	backupTold  = 7 * 24 * time.Hour
)

// checks are what is looked at. Each is told all that is known, and returns what it finds.
var checks = []func(*Overview) []Finding{
	noLeaderKnown, silentNodes, perNode(notReady), noWrites, perNode(draining), perNode(diskFull), perNode(lagging),
	perNode(slowDisk), perNode(loginQueue), perNode(memory), perNode(machineMemory), perNode(descriptors), perNode(connections),
	clocks, perNode(expiring), perNode(diskSmall), perNode(snapshots), perNode(guessing),
	leaderChanges, versions, settingsDiffer, noLimit, noBackup, notices,
}

// perNode has a check look at each node that answers.
func perNode(look func(n *NodeView) *Finding) func(*Overview) []Finding {
	return func(o *Overview) (all []Finding) {
		for i := range o.Nodes {
			if n := &o.Nodes[i]; n.Own != nil {
				if f := look(n); f != nil {
					f.Node = n.Name
					all = append(all, *f)
				}
			}
		}
		return all
	}
}

func noLeaderKnown(o *Overview) []Finding {
	if o.Leads != "" {
		return nil
	}
	why := o.own().NotWritable
	if why == "" {
		why = "no node that answers leads"
	}
	return []Finding{{
		Severity: Critical, Kind: "no-quorum", What: "writes are not taken: " + why,
		Why:  "a write needs a leader and a majority of the voters; reads go on where a node serves them",
		Cure: "start the nodes that do not answer; if they are gone for good: ciderd help recover",
	}}
}

func silentNodes(o *Overview) (all []Finding) {
	for _, n := range o.Nodes {
		if n.Own == nil && n.Reason != OlderRelease {
			all = append(all, Finding{
				Severity: Broken, Kind: "node-silent", Node: n.Name, What: n.Name + " does not answer: " + n.Reason,
				Why:  "until it is back one node less may fail",
				Cure: fmt.Sprintf("start it (systemctl start ciderd on %s); if it is gone for good: ciderd member remove %s", n.Name, n.Name),
			})
		}
	}
	return all
}

// OlderRelease is the reason of a node that answers, and does not know the question.
const OlderRelease = "it runs an older release, which does not say"

func notReady(n *NodeView) *Finding {
	if n.Own.NotReady == "" || n.Own.Draining {
		return nil
	}
	return &Finding{
		Severity: Broken, Kind: "not-ready", What: n.Name + " serves no reads: " + n.Own.NotReady,
		Why: "its clients have to go to other nodes", Cure: "wait while it catches up (ciderd wait -ready on it); else see its log (journalctl -u ciderd)",
	}
}

// noWrites looks for nodes that take no writes while others do.
func noWrites(o *Overview) (all []Finding) {
	for _, n := range o.Nodes {
		if o.Leads == "" || n.Own == nil || n.Own.NotReady != "" || n.Own.NotWritable == "" {
			continue
		}
		all = append(all, Finding{
			Severity: Broken, Kind: "not-writable", Node: n.Name, What: n.Name + " takes no writes, though others do: " + n.Own.NotWritable,
			Why: "its clients can only read", Cure: "see whether the others reach its peer port, and it theirs (firewalls, certificates: journalctl -u ciderd)",
		})
	}
	return all
}

func draining(n *NodeView) *Finding {
	if !n.Own.Draining {
		return nil
	}
	return &Finding{
		Severity: Broken, Kind: "draining", What: n.Name + " is draining", Why: "it serves no clients",
		Cure: "ciderd undrain on it, or restart it, once the work on it is done",
	}
}

func diskFull(n *NodeView) *Finding {
	if !n.Own.NoSpace {
		return nil
	}
	return &Finding{
		Severity: Broken, Kind: "disk-full", What: fmt.Sprintf("the disk of %s is nearly full: %s free", n.Name, Bytes(int64(n.Own.DiskFree))),
		Why: "what makes the cache grow is refused once a majority has no space", Cure: "make space on the disk of its data directory, or delete keys",
	}
}

func lagging(n *NodeView) *Finding {
	if n.Lag < lagTold {
		return nil
	}
	return &Finding{
		Severity: Broken, Kind: "lagging", What: fmt.Sprintf("%s is %d log entries behind", n.Name, n.Lag),
		Why: "its reads are that old, and it is of no use to a failing leader", Cure: "see whether its disk, its network or its processor is at its limit",
	}
}

func slowDisk(n *NodeView) *Finding {
	p99 := n.Own.Minute.SyncP99
	if p99 < int64(syncTold) {
		return nil
	}
	return &Finding{
		Severity: Advice, Kind: "slow-disk", What: fmt.Sprintf("syncing the log takes %s on %s (p99 of the last minute)", milliseconds(p99), n.Name),
		Why: "a write waits for the disks of a majority", Cure: "give the data directory a disk of its own, with fast syncs",
	}
}

func loginQueue(n *NodeView) *Finding {
	if n.Own.LoginsWaiting < waitingTold {
		return nil
	}
	return &Finding{
		Severity: Advice, Kind: "login-queue", What: fmt.Sprintf("%s wait for their turn on %s", Plural(n.Own.LoginsWaiting, "login"), n.Name),
		Why: "a password takes some 70 ms of a processor to check", Cure: "have programs keep their connections; let them connect to all nodes",
	}
}

func memory(n *NodeView) *Finding {
	if n.Own.Limit == 0 || float64(n.Own.Memory) < memoryTold*float64(n.Own.Limit) {
		return nil
	}
	return &Finding{
		Severity: Advice, Kind: "memory", What: fmt.Sprintf("memory is at %d %% of the limit of %s on %s", 100*n.Own.Memory/n.Own.Limit, Bytes(n.Own.Limit), n.Name),
		Why: "at the limit items are evicted, or writes refused (limits.when_full)", Cure: "raise limits.max_memory if items are evicted that are missed (ciderd limits)",
	}
}

func machineMemory(n *NodeView) *Finding {
	if n.Own.Machine == 0 || float64(n.Own.Resident) < memoryTold*float64(n.Own.Machine) {
		return nil
	}
	return &Finding{
		Severity: Advice, Kind: "machine-memory", What: fmt.Sprintf("the process takes %s of the %s that there are for it on %s", Bytes(n.Own.Resident), Bytes(n.Own.Machine), n.Name),
		Why: "the kernel ends a process that takes more", Cure: "lower limits.max_memory, or give the machine more memory",
	}
}

func descriptors(n *NodeView) *Finding {
	if n.Own.MaxFiles == 0 || float64(n.Own.OpenFiles) < filesTold*float64(n.Own.MaxFiles) {
		return nil
	}
	return &Finding{
		Severity: Advice, Kind: "descriptors", What: fmt.Sprintf("%d of %d file descriptors are open on %s", n.Own.OpenFiles, n.Own.MaxFiles, n.Name),
		Why: "without one no client is let in", Cure: "raise LimitNOFILE in the unit (ulimit -n in a shell)",
	}
}

func connections(n *NodeView) *Finding {
	if n.Own.MaxConnections == 0 || float64(n.Own.Connections) < filesTold*float64(n.Own.MaxConnections) {
		return nil
	}
	return &Finding{
		Severity: Advice, Kind: "connections", What: fmt.Sprintf("%d of %d connections are open on %s", n.Own.Connections, n.Own.MaxConnections, n.Name),
		Why: "more are refused", Cure: "raise limits.max_connections, or send clients to other nodes too",
	}
}

// clocks compares them with the one in the middle, as that of the node that was asked may be the wrong one.
func clocks(o *Overview) (all []Finding) {
	middle, than := o.middleClock()
	for _, n := range o.Nodes {
		off := n.Skew - middle
		if n.Own == nil || off > -skewTold && off < skewTold {
			continue
		}
		all = append(all, Finding{
			Severity: Advice, Kind: "clock", Node: n.Name,
			What: fmt.Sprintf("the clock of %s is off by %s from %s", n.Name, (time.Duration(off) * time.Millisecond).Round(time.Second), than),
			Why:  "deadlines do not depend on it, but after a restart of all nodes, logs and certificates do", Cure: "have the machines' clocks kept (systemctl status systemd-timesyncd, or chrony)",
		})
	}
	return all
}

// middleClock returns the skew of the clock that as many are ahead of as behind, and whose that is. Of two in the middle
// it is the one nearer to that of the node that was asked.
func (o *Overview) middleClock() (skew int64, whose string) {
	var skews []int64
	for _, n := range o.Nodes {
		if n.Own != nil {
			skews = append(skews, n.Skew)
		}
	}
	if len(skews) < 3 {
		return 0, "that of the node that was asked"
	}
	slices.Sort(skews)
	below, above := skews[(len(skews)-1)/2], skews[len(skews)/2]
	if max(below, -below) <= max(above, -above) {
		return below, "those of most nodes"
	}
	return above, "those of most nodes"
}

func expiring(n *NodeView) *Finding {
	first, file := int64(0), ""
	for f, at := range n.Own.Expires {
		if file == "" || at < first || at == first && f < file {
			first, file = at, f
		}
	}
	left := time.Until(time.Unix(first, 0))
	if file == "" || left > expiresTold {
		return nil
	}
	f := &Finding{
		Severity: Advice, Kind: "certificate", What: fmt.Sprintf("%s on %s expires in %d days", file, n.Name, int(left.Hours()/24)),
		Why: "with an expired certificate no other node and no client connects anew", Cure: "ciderd tls renew, and put the pair in place: it is read again within a minute",
	}
	if left <= 0 {
		f.Severity, f.What = Broken, fmt.Sprintf("%s on %s has expired", file, n.Name)
	}
	return f
}

func diskSmall(n *NodeView) *Finding {
	need := n.Own.LogBytes + 2*n.Own.SnapshotBytes
	if n.Own.NoSpace || n.Own.DiskFree == 0 || int64(n.Own.DiskFree) > need {
		return nil
	}
	return &Finding{
		Severity: Advice, Kind: "disk", What: fmt.Sprintf("%s has %s of disk left", n.Name, Bytes(int64(n.Own.DiskFree))),
		Why: "log and snapshots take " + Bytes(need) + ", and grow with what is stored", Cure: "give the data directory a larger disk",
	}
}

func snapshots(n *NodeView) *Finding {
	failed := n.Own.Recent.SnapshotsFailed
	if failed == 0 {
		return nil
	}
	return &Finding{
		Severity: Advice, Kind: "snapshots", What: fmt.Sprintf("%s failed on %s in the last quarter of an hour", Plural(failed, "snapshot"), n.Name),
		Why: "without snapshots the log grows until the disk is full, and a restart takes longer", Cure: "see its log for the reason (journalctl -u ciderd)",
	}
}

func guessing(n *NodeView) *Finding {
	if n.Own.Minute.Wrong < wrongTold {
		return nil
	}
	return &Finding{
		Severity: Advice, Kind: "guessing", What: fmt.Sprintf("%d logins with wrong passwords within a minute on %s", n.Own.Minute.Wrong, n.Name),
		Why: "somebody may be guessing, or a program has an old password", Cure: "see the audit lines in its log for addresses and users; ciderd user lock NAME",
	}
}

func leaderChanges(o *Overview) []Finding {
	if n := o.own().Recent.LeaderChanges; n >= changesTold {
		return []Finding{{
			Severity: Advice, Kind: "elections", What: Plural(n, "change") + " of the leader in the last quarter of an hour",
			Why: "each stops writes for about a second", Cure: "see whether the leader's processor or the network is at its limit",
		}}
	}
	return nil
}

func versions(o *Overview) []Finding {
	seen := map[string][]string{}
	for _, n := range o.Nodes {
		switch {
		case n.Own != nil:
			seen[n.Own.Version] = append(seen[n.Own.Version], n.Name)
		case n.Reason == OlderRelease:
			seen["an older release"] = append(seen["an older release"], n.Name)
		}
	}
	if len(seen) < 2 {
		return nil
	}
	var parts []string
	for version, names := range seen {
		parts = append(parts, strings.Join(names, ", ")+": "+version)
	}
	slices.Sort(parts)
	return []Finding{{
		Severity: Advice, Kind: "versions", What: "the nodes run different releases (" + strings.Join(parts, "; ") + ")",
		Why: "what only the newer one knows is refused until all have it", Cure: "finish the upgrade, one node at a time",
	}}
}

func settingsDiffer(o *Overview) (all []Finding) {
	own := o.own()
	var keys []string
	for key := range own.Settings {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		for _, n := range o.Nodes {
			if n.Own == nil || n.Own.Settings == nil {
				continue
			}
			if theirs, known := n.Own.Settings[key]; known && theirs != own.Settings[key] {
				all = append(all, Finding{
					Severity: Advice, Kind: "settings", What: fmt.Sprintf("%s is %s on %s and %s on %s", key, own.Settings[key], o.Asked, theirs, n.Name),
					Why: "which of them holds depends on the node that a client is connected to", Cure: "put the same file on all nodes, and ciderd reload",
				})
				break
			}
		}
	}
	return all
}

func noLimit(o *Overview) []Finding {
	if own := o.own(); own.Limit > 0 || own.Node == "" {
		return nil
	}
	return []Finding{{
		Severity: Advice, Kind: "no-limit", What: "there is no limit on memory", Why: "one user can fill the memory of all nodes",
		Cure: "limits { max_memory = \"auto\" } in the file, and ciderd reload",
	}}
}

// noBackup looks whether there is a backup of what users have stored. The last one may be of a cluster's clock that is
// ahead.
func noBackup(o *Overview) []Finding {
	own := o.own()
	f := Finding{
		Severity: Advice, Kind: "backup", What: "there has been no backup",
		Why:  "what is deleted by mistake, or lost with a majority of the disks, comes from a backup or not at all",
		Cure: "ciderd backup FILE, each day",
	}
	age := time.Duration(own.Wall-own.BackupAt) * time.Millisecond
	switch {
	case own.Users == 0 || own.BackupAt != 0 && age < backupTold:
		return nil
	case own.BackupAt != 0:
		f.What = fmt.Sprintf("the last backup is %d days old", int(age.Hours()/24))
	}
	return []Finding{f}
}

// notices are what the nodes say themselves, unless a check has said it.
func notices(o *Overview) (all []Finding) {
	seen := map[string]bool{}
	for _, n := range o.Nodes {
		if n.Own == nil {
			continue
		}
		for _, text := range n.Own.Notices {
			if seen[text] || strings.Contains(text, "expire") { // the certificates have a check
				continue
			}
			seen[text] = true
			all = append(all, Finding{Severity: Advice, Kind: "notice", Node: n.Name, What: text})
		}
	}
	return all
}

// Bytes writes a number of bytes for people.
func Bytes(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	f, i := float64(n), 0
	for f >= 1000 && i < len(units)-1 {
		f, i = f/1024, i+1
	}
	switch {
	case i == 0:
		return fmt.Sprintf("%d B", n)
	case f < 10:
		return fmt.Sprintf("%.1f %s", f, units[i])
	}
	return fmt.Sprintf("%.0f %s", f, units[i])
}
