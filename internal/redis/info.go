package redis

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"ciderd/internal/protocol/resp"
)

// section is a part of INFO.
type section struct {
	name string
	tell func(s *Session, b *strings.Builder)
}

var sections = []section{
	{"Server", infoServer}, {"Clients", infoClients}, {"Memory", infoMemory}, {"Stats", infoStats},
	{"Replication", infoReplication}, {"Keyspace", infoKeyspace},
}

// info answers with the sections that were asked for, or all; what counts data counts that of the session's user.
func info(s *Session, _ *resp.Command, args [][]byte) {
	var b strings.Builder
	for _, part := range sections {
		if !wanted(part.name, args[1:]) {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("\r\n")
		}
		fmt.Fprintf(&b, "# %s\r\n", part.name)
		part.tell(s, &b)
	}
	s.w.Verbatim("txt", b.String())
}

func wanted(section string, names [][]byte) bool {
	for _, name := range names {
		if is(name, strings.ToLower(section)) || is(name, "default") || is(name, "all") || is(name, "everything") {
			return true
		}
	}
	return len(names) == 0
}

func lines(b *strings.Builder, pairs ...any) {
	for i := 0; i < len(pairs); i += 2 {
		fmt.Fprintf(b, "%s:%v\r\n", pairs[i], pairs[i+1])
	}
}

func infoServer(s *Session, b *strings.Builder) {
	c := &s.all.config
	up := int64(time.Since(s.all.started) / time.Second)
	here := s.nodes().here()
	lines(b,
		"redis_version", emulatedVersion, "ciderd_version", c.Version, "redis_mode", "standalone",
		"os", runtime.GOOS, "arch_bits", 64, "process_id", os.Getpid(), "run_id", c.runID(here.Name),
		"tcp_port", here.port(s.card.addresses.TLS), "server_time_usec", s.direct.Now()*1000, "uptime_in_seconds", up, "uptime_in_days", up/86400)
}

func infoClients(s *Session, b *strings.Builder) {
	lines(b, "connected_clients", s.direct.Figures().Sessions, "blocked_clients", 0)
}

func infoMemory(s *Session, b *strings.Builder) {
	f := s.direct.Figures()
	lines(b,
		"used_memory", f.Memory, "used_memory_dataset", f.Memory, "maxmemory", f.MostMemory(), "maxmemory_policy", policy(s),
		"mem_fragmentation_ratio", "1.00")
}

func infoStats(s *Session, b *strings.Builder) {
	f := s.direct.Figures()
	lines(b,
		"total_commands_processed", f.Hits+f.Misses+f.Writes, "keyspace_hits", f.Hits, "keyspace_misses", f.Misses,
		"evicted_keys", f.Evicted, "pubsub_channels", 0, "pubsub_patterns", 0)
}

func infoReplication(s *Session, b *strings.Builder) {
	c := &s.all.config
	lines(b,
		"role", "master", "connected_slaves", 0, "master_failover_state", "no-failover", "master_replid", c.runID(""),
		"master_repl_offset", c.now().Applied)
}

func infoKeyspace(s *Session, b *strings.Builder) {
	if f := s.direct.Figures(); f.Keys > 0 {
		fmt.Fprintf(b, "db0:keys=%d,expires=%d,avg_ttl=0\r\n", f.Keys, min(f.Deadlines, f.Keys))
	}
}
