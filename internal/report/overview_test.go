package report

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ciderd/internal/tally"
)

// three is a healthy cluster.
func three() []NodeView {
	var nodes []NodeView
	for _, name := range []string{"n1", "n2", "n3"} {
		own := &Own{
			Node: name, Version: "1", Role: "follower", Leader: "n1", Voter: true, Applied: 100000, Limit: 1 << 30, Memory: 1 << 20,
			Resident: 1 << 28, Machine: 1 << 32, MaxConnections: 100, MaxFiles: 1000, DiskFree: 1 << 34,
			Settings: map[string]string{"limits.quota": "none"},
		}
		nodes = append(nodes, NodeView{Name: name, Own: own})
	}
	nodes[0].Own.Role = "leader"
	return nodes
}

// found is the kinds of what is found, each with its severity and node.
func found(o *Overview) (all []string) {
	for _, f := range o.Findings {
		all = append(all, strings.TrimSpace(f.Severity.String()+" "+f.Kind+" "+f.Node))
	}
	return all
}

func TestAHealthyCluster(t *testing.T) {
	o := judge("n2", three())
	if o.Verdict != Healthy || len(o.Findings) != 0 || !strings.Contains(o.Sentence, "n1 leads") {
		t.Errorf("%s: %s %v", o.Verdict, o.Sentence, found(&o))
	}
	backed := three()
	backed[1].Own.Users, backed[1].Own.BackupAt, backed[1].Own.Wall = 1, 1_700_000_000_000, 1_700_000_000_000-5000
	if o = judge("n2", backed); len(o.Findings) != 0 {
		t.Errorf("with a backup of a clock that is ahead: %v", found(&o))
	}
	one := judge("n1", three()[:1])
	if one.Verdict != Healthy || one.Sentence != "one node serves reads and takes writes" {
		t.Errorf("%s: %s", one.Verdict, one.Sentence)
	}
}

// Each illness is found, on the node that has it, with what mends it.
func TestIllnesses(t *testing.T) {
	for name, c := range map[string]struct {
		plant   func(n []NodeView)
		want    string
		verdict string
	}{
		"silent":          {func(n []NodeView) { n[2].Own, n[2].Reason = nil, "connection refused" }, "degraded node-silent n3", Degraded},
		"not ready":       {func(n []NodeView) { n[1].Own.NotReady = "catching up" }, "degraded not-ready n2", Degraded},
		"draining":        {func(n []NodeView) { n[1].Own.NotReady, n[1].Own.Draining = "draining", true }, "degraded draining n2", Degraded},
		"cut off":         {func(n []NodeView) { n[2].Own.Leader, n[2].Own.NotWritable = "", "no leader" }, "degraded not-writable n3", Degraded},
		"a full disk":     {func(n []NodeView) { n[0].Own.NoSpace = true }, "degraded disk-full n1", Degraded},
		"lagging":         {func(n []NodeView) { n[2].Own.Applied = 90000 }, "degraded lagging n3", Degraded},
		"a slow disk":     {func(n []NodeView) { n[2].Own.Minute.SyncP99 = int64(300 * time.Millisecond) }, "advice slow-disk n3", Healthy},
		"a login queue":   {func(n []NodeView) { n[1].Own.LoginsWaiting = 500 }, "advice login-queue n2", Healthy},
		"memory":          {func(n []NodeView) { n[0].Own.Memory = 1<<30 - 1<<20 }, "advice memory n1", Healthy},
		"machine":         {func(n []NodeView) { n[0].Own.Resident = 1<<32 - 1<<20 }, "advice machine-memory n1", Healthy},
		"descriptors":     {func(n []NodeView) { n[0].Own.OpenFiles = 950 }, "advice descriptors n1", Healthy},
		"connections":     {func(n []NodeView) { n[0].Own.Connections = 99 }, "advice connections n1", Healthy},
		"a clock":         {func(n []NodeView) { n[2].Skew = -90000 }, "advice clock n3", Healthy},
		"the asked clock": {func(n []NodeView) { n[0].Skew, n[2].Skew = 90000, 89500 }, "advice clock n2", Healthy},
		"failed snapshot": {func(n []NodeView) { n[0].Own.Recent.SnapshotsFailed = 1 }, "advice snapshots n1", Healthy},
		"an old cert":     {func(n []NodeView) { n[2].Own.Expires = expires(29 * 24 * time.Hour) }, "advice certificate n3", Healthy},
		"an expired cert": {func(n []NodeView) { n[2].Own.Expires = expires(-time.Hour) }, "degraded certificate n3", Degraded},
		"a small disk":    {func(n []NodeView) { n[2].Own.DiskFree, n[2].Own.LogBytes, n[2].Own.SnapshotBytes = 2<<30, 1<<30, 1<<30 }, "advice disk n3", Healthy},
		"guessing":        {func(n []NodeView) { n[2].Own.Minute.Wrong = 1000 }, "advice guessing n3", Healthy},
		"elections":       {func(n []NodeView) { n[1].Own.Recent.LeaderChanges = 5 }, "advice elections", Healthy},
		"versions":        {func(n []NodeView) { n[1].Own.Version = "2" }, "advice versions", Healthy},
		"an old release":  {func(n []NodeView) { n[2].Own, n[2].Reason = nil, OlderRelease }, "advice versions", Healthy},
		"an old leader":   {func(n []NodeView) { n[0].Own, n[0].Reason = nil, OlderRelease }, "advice versions", Healthy},
		"files":           {func(n []NodeView) { n[0].Own.Settings["limits.quota"] = "1GiB" }, "advice settings", Healthy},
		"no limit":        {func(n []NodeView) { n[1].Own.Limit = 0 }, "advice no-limit", Healthy},
		"no backup":       {func(n []NodeView) { n[1].Own.Users = 1 }, "advice backup", Healthy},
		"an old backup": {func(n []NodeView) {
			n[1].Own.Users, n[1].Own.BackupAt, n[1].Own.Wall = 1, 1_700_000_000_000, 1_700_000_000_000+backupTold.Milliseconds()
		}, "advice backup", Healthy},
		"a notice": {func(n []NodeView) { n[0].Own.Notices = []string{"look"}; n[1].Own.Notices = []string{"look"} }, "advice notice n1", Healthy},
	} {
		t.Run(name, func(t *testing.T) {
			nodes := three()
			c.plant(nodes)
			o := judge("n2", nodes)
			if got := found(&o); !slices.Equal(got, []string{c.want}) || o.Verdict != c.verdict {
				t.Fatalf("%s, %q; want %s, %q", o.Verdict, got, c.verdict, c.want)
			}
			f := o.Findings[0]
			if f.What == "" || f.Kind != "notice" && (f.Why == "" || f.Cure == "") {
				t.Errorf("it is not told what, why and what to do: %+v", f)
			}
		})
	}
}

func expires(in time.Duration) map[string]int64 {
	return map[string]int64{"a.pem": time.Now().Add(in).Unix(), "b.pem": time.Now().Add(9999 * time.Hour).Unix()}
}

// docs/monitoring.md tells of each kind.
func TestDocumented(t *testing.T) {
	code, err := os.ReadFile("checks.go")
	if err != nil {
		t.Fatal(err)
	}
	guide, err := os.ReadFile("../../docs/monitoring.md")
	if err != nil {
		t.Fatal(err)
	}
	kinds := regexp.MustCompile(`Kind: "([a-z-]+)"`).FindAllStringSubmatch(string(code), -1)
	if len(kinds) < 20 {
		t.Fatalf("only %d kinds", len(kinds))
	}
	for _, m := range kinds {
		if !strings.Contains(string(guide), "`"+m[1]+"`") {
			t.Errorf("docs/monitoring.md does not tell of %s", m[1])
		}
	}
}

// Of two clocks nobody knows which is right: the other one is told of. Of four that are two and two it is not the one of
// the node that was asked.
func TestClocks(t *testing.T) {
	two := three()[:2]
	two[0].Skew = 90000
	o := judge("n2", two)
	if got := found(&o); !slices.Equal(got, []string{"advice clock n1"}) || !strings.Contains(o.Findings[0].What, "1m30s from that of the node that was asked") {
		t.Errorf("%q: %s", got, o.Findings[0].What)
	}
	four := append(three(), NodeView{Name: "n4", Own: three()[1].Own})
	four[2].Skew, four[3].Skew = -90000, -90000
	if o := judge("n1", four); !slices.Equal(found(&o), []string{"advice clock n3", "advice clock n4"}) {
		t.Errorf("%q", found(&o))
	}
	asked := three()
	asked[0].Skew, asked[2].Skew = 90000, 89500
	if o := judge("n2", asked); !strings.Contains(o.Findings[0].What, "the clock of n2 is off by -1m30s from those of most nodes") {
		t.Error(o.Findings[0].What)
	}
}

// Without a leader that is the first thing to be told; a leader that only others name is none.
func TestNoQuorum(t *testing.T) {
	nodes := three()
	nodes[0].Own, nodes[0].Reason = nil, "connection refused"
	nodes[2].Own, nodes[2].Reason = nil, "connection refused"
	nodes[1].Own.NotWritable = "no leader"
	o := judge("n2", nodes)
	if o.Verdict != NoQuorum || !strings.Contains(o.Sentence, "no leader") || len(o.Findings) != 3 || o.Findings[0].Severity != Critical {
		t.Errorf("%s: %s %v", o.Verdict, o.Sentence, found(&o))
	}
}

// What another host has sent is shown as text that does nothing to a terminal, and not at any length.
func TestStrangeAnswers(t *testing.T) {
	text, err := json.Marshal(Own{Node: "n3", NotReady: "\x1b[2J\n" + strings.Repeat("x", 10000), Notices: []string{"\a"}, Expires: map[string]int64{"\x00": 1}})
	if err != nil {
		t.Fatal(err)
	}
	v := view(Said{Name: "n3", Text: text})
	if v.Own == nil {
		t.Fatal(v.Reason)
	}
	shown := v.Own.NotReady + v.Own.Notices[0] + strings.Join(slices.Collect(maps.Keys(v.Own.Expires)), "")
	if strings.ContainsAny(shown, "\x1b\n\a\x00") || len(shown) > 2*mostShown {
		t.Errorf("%q", shown)
	}
	if v := view(Said{Name: "n3", Text: json.RawMessage("[1]")}); v.Own != nil || v.Reason == "" {
		t.Errorf("nonsense became %+v", v)
	}
}

// Rates are those of the part of the past that is asked for.
func TestHistory(t *testing.T) {
	var now Counters
	took := tally.NewHistogram(tally.Latencies)
	h := NewHistory(func() Counters { now.Reads = took.Read(); return now })
	start := time.Now()
	if r := h.Over(time.Minute); r != (Rates{}) {
		t.Errorf("of nothing: %+v", r)
	}
	for i := range 1000 {
		now.Commands += 10
		now.Hits += 3
		now.Misses++
		if i == 500 {
			took.Observe(int64(3 * time.Millisecond))
		}
		h.note(start.Add(time.Duration(i) * time.Second))
	}
	r := h.Over(10 * time.Second)
	if r.Seconds != 10 || r.Operations != 10 || r.HitRate() != 0.75 || r.ReadP99 != 0 {
		t.Errorf("of ten seconds: %+v", r)
	}
	if r := h.Over(kept); r.Seconds != 900 || r.ReadP99 < int64(2*time.Millisecond) || r.ReadP99 > int64(5*time.Millisecond) {
		t.Errorf("of all that is kept: %+v", r)
	}
	if n := len(h.points); n != 901 {
		t.Errorf("%d points", n)
	}
	if r := (&Rates{}); r.HitRate() != -1 {
		t.Error("a hit rate of no reads")
	}
}
