package metrics

import (
	"path/filepath"
	"runtime"

	"ciderd/internal/tally"
)

// families are all metrics of ours. The names are a contract: they are only added to. Names end in their unit, or in
// _total where they count.
var families = []family{
	// What clients do.
	counter("ciderd_commands_total", "Commands that were answered; ok: without an error.", []string{"command", "port", "result"},
		func(r *reading, emit emit) {
			for _, p := range r.ports {
				for _, c := range p.Commands {
					emit(float64(c.Done), c.Name, p.Port, "ok")
					emit(float64(c.Failed), c.Name, p.Port, "error")
				}
			}
		}),
	histogram("ciderd_command_seconds", "From a command's arrival to its answer; of what a client sends in one go, the first command.", []string{"command", "port"}, nanoseconds,
		func(r *reading, emit emitHistogram) {
			for _, p := range r.ports {
				for _, c := range p.Commands {
					emit(c.Took, c.Name, p.Port)
				}
			}
		}),
	counter("ciderd_hits_total", "Reads of keys that were there.", nil, always(func(r *reading) float64 { return float64(r.Clients.Sessions.Hits) })),
	counter("ciderd_misses_total", "Reads of keys that were not there.", nil, always(func(r *reading) float64 { return float64(r.Clients.Sessions.Misses) })),
	gauge("ciderd_connections", "Connections of clients that are served.", []string{"port"}, func(r *reading, emit emit) {
		for _, p := range r.ports {
			emit(float64(p.Connections), p.Port)
		}
	}),
	counter("ciderd_connections_refused_total", "Connections that were refused, by the setting that bounds them.", []string{"reason"}, func(r *reading, emit emit) {
		for reason, n := range r.refused {
			emit(float64(n), reason)
		}
		emit(float64(r.Clients.Sessions.Crowded), "max_connections_per_user")
	}),
	counter("ciderd_logins_total", "Logins; busy: too many were waiting; other: not looked at, as the node was loading or the client gone.", []string{"result"}, func(r *reading, emit emit) {
		emit(float64(r.Accounts.LoggedIn), "ok")
		emit(float64(r.Accounts.Wrong), "wrong")
		emit(float64(r.Accounts.Busy), "busy")
		emit(float64(r.Accounts.Unlooked), "other")
	}),
	histogram("ciderd_login_wait_seconds", "How long logins and sign-ups waited for their turn to have a password hashed.", nil, nanoseconds,
		only(func(r *reading) tally.Distribution { return r.Logins.Wait })),
	gauge("ciderd_logins_waiting", "Logins and sign-ups that wait for their turn.", nil, always(func(r *reading) float64 { return float64(r.Logins.Waiting) })),

	// What the cache holds.
	gauge("ciderd_keys", "Items of all users, also those that have expired and not been removed yet.", nil, always(func(r *reading) float64 { return float64(r.State.Items) })),
	gauge("ciderd_users", "Accounts.", nil, always(func(r *reading) float64 { return float64(r.Users) })),
	gauge("ciderd_memory_bytes", "Memory that items and accounts count for.", nil, always(func(r *reading) float64 { return float64(r.State.Memory) })),
	gauge("ciderd_memory_limit_bytes", "limits.max_memory that is in force; 0: none.", nil, always(func(r *reading) float64 { return float64(r.State.MemoryLimit) })),
	gauge("ciderd_memory_rejects", "1 if what would grow beyond the limit is refused; 0: items are evicted.", nil, always(func(r *reading) float64 { return truth(r.State.Reject) })),
	counter("ciderd_evicted_total", "Items that this node has evicted as leader, for the limit on memory or a user's quota.", []string{"reason"}, func(r *reading, emit emit) {
		emit(float64(r.Log.Eviction.Victims-r.Log.Eviction.Quota), "limit")
		emit(float64(r.Log.Eviction.Quota), "quota")
	}),
	counter("ciderd_expired_total", "Items that this node has removed for their deadlines.", nil, always(func(r *reading) float64 { return float64(r.State.Expired) })),

	// The cluster.
	gauge("ciderd_is_leader", "1 if this node leads.", nil, always(func(r *reading) float64 { return truth(r.Leader != "" && r.Leader == r.Node) })),
	gauge("ciderd_has_leader", "1 if this node knows a leader.", nil, always(func(r *reading) float64 { return truth(r.Leader != "") })),
	gauge("ciderd_ready", "1 if this node serves reads.", nil, always(func(r *reading) float64 { return truth(r.NotReady() == "") })),
	gauge("ciderd_writable", "1 if this node takes writes, as far as it knows.", nil, always(func(r *reading) float64 { return truth(r.NotWritable() == "") })),
	counter("ciderd_leader_changes_total", "How often another leader was seen.", nil, always(func(r *reading) float64 { return float64(r.Log.LeaderChanges) })),
	gauge("ciderd_election_timeout_seconds", "How long this node, as a follower, hears nothing of its leader before it asks for votes, and up to twice that. It follows the machines unless timeouts.election is set.", nil, always(func(r *reading) float64 { return r.Log.ElectionWait.Seconds() })),
	gauge("ciderd_applied_index", "The log index that reads on this node see.", nil, always(func(r *reading) float64 { return float64(r.Applied) })),
	gauge("ciderd_lag_entries", "On the leader: how many log entries each other node was behind when it last answered. A node that does not answer has none.", []string{"node"}, func(r *reading, emit emit) {
		if r.Leader == "" || r.Leader != r.Node {
			return
		}
		for _, p := range r.Peers {
			if p.Reason == "" {
				emit(float64(p.Lag), p.Name)
			}
		}
	}),

	// Writes, from the session to the disk.
	histogram("ciderd_commit_seconds", "Of this node's batches, from when they were made until they were applied here.", nil, nanoseconds,
		only(func(r *reading) tally.Distribution { return r.Log.Pipeline.Commit })),
	histogram("ciderd_batch_commands", "Commands in each of this node's batches.", nil, ones, only(func(r *reading) tally.Distribution { return r.Log.Pipeline.Sizes })),
	histogram("ciderd_log_sync_seconds", "Writes of log entries and votes that Raft waits for, with their sync.", nil, nanoseconds, only(func(r *reading) tally.Distribution { return r.Log.Disk.Sync })),
	histogram("ciderd_journal_move_seconds", "Transactions that put entries into the log's file: from the journal, for which no write waits, and what is too large for that.", nil, nanoseconds,
		only(func(r *reading) tally.Distribution { return r.Log.Disk.Moves })),
	counter("ciderd_forwarded_total", "As leader: batches of other nodes that were accepted, and their connections that were ended with a reason.", []string{"result"}, func(r *reading, emit emit) {
		emit(float64(r.Log.Forwarded), "accepted")
		emit(float64(r.Log.Rejected), "rejected")
	}),
	counter("ciderd_resent_total", "Batches of this node that were sent again.", nil, always(func(r *reading) float64 { return float64(r.Log.Pipeline.Resent) })),

	// The disk.
	histogram("ciderd_snapshot_seconds", "Snapshots that were taken.", nil, nanoseconds, only(func(r *reading) tally.Distribution { return r.Log.SnapshotTook })),
	counter("ciderd_snapshots_failed_total", "Snapshots that failed.", nil, always(func(r *reading) float64 { return float64(r.Log.SnapshotsFailed) })),
	gauge("ciderd_snapshot_bytes", "The latest snapshot.", nil, always(func(r *reading) float64 { return float64(r.Log.Disk.Snapshot) })),
	gauge("ciderd_disk_free_bytes", "What is free on the data directory's disk.", nil, always(func(r *reading) float64 { return float64(r.Log.Space.Free) })),
	gauge("ciderd_disk_full", "1 if that is so little that the cluster refuses what makes it grow.", nil, always(func(r *reading) float64 { return truth(r.NoSpace) })),
	gauge("ciderd_log_bytes", "The log's file. What is free in it is used again.", nil, always(func(r *reading) float64 { return float64(r.Log.Disk.Log) })),
	gauge("ciderd_journal_bytes", "Log entries that are in the journal only.", nil, always(func(r *reading) float64 { return float64(r.Log.Disk.Journal) })),

	gauge("ciderd_certificate_expiry_timestamp_seconds", "When a certificate of this node or an authority expires, in Unix time.", []string{"file"}, func(r *reading, emit emit) {
		for file, at := range r.certificates {
			emit(float64(at.Unix()), filepath.Clean(file))
		}
	}),
	gauge("ciderd_backup_timestamp_seconds", "The time of the last backup that the cluster knows of, in Unix time; 0: there was none.", nil, always(func(r *reading) float64 { return float64(r.State.Backup.At) / 1000 })),
	gauge("ciderd_start_time_seconds", "When this node started, in Unix time.", nil, always(func(r *reading) float64 { return float64(r.Started) })),
	gauge("ciderd_build_info", "Always 1.", []string{"version", "go"}, func(r *reading, emit emit) { emit(1, r.Version, runtime.Version()) }),
}
