package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ciderd/internal/backup/archive"
	"ciderd/internal/fsm"
	"ciderd/test/nodetest"
)

// cluster is a node with the two halves of this package.
type cluster struct {
	*nodetest.Node
	Config
	tb testing.TB
}

func newCluster(tb testing.TB) *cluster {
	n := nodetest.New()
	return &cluster{Node: n, tb: tb, Config: Config{
		State: n.FSM(), Now: n.Clock().Now, Release: "1.0.0",
		Propose: func(g fsm.Group) func() ([]fsm.Result, error) { return n.Propose(g, time.Second).Wait },
	}}
}

// do applies commands of one user, each of which must be taken.
func (c *cluster) do(commands ...fsm.Command) []fsm.Result {
	c.tb.Helper()
	results, err := c.Node.Propose(fsm.NewGroup(commands...), time.Second).Wait()
	if err != nil {
		c.tb.Fatal(err)
	}
	return results
}

func (c *cluster) user(name string) uint64 {
	c.tb.Helper()
	r := c.do(fsm.Command{Op: fsm.OpRegister, Name: []byte(name), Value: []byte("hash of " + name)})
	return uint64(r[0].N)
}

func store(user uint64, key, value string, ttl int64) fsm.Command {
	return fsm.Command{Op: fsm.OpStore, User: user, Key: []byte(key), Value: []byte(value), TTL: ttl}
}

func (c *cluster) save() []byte {
	c.tb.Helper()
	var out bytes.Buffer
	if _, err := c.Save(c.tb.Context(), &out, archive.Head{Release: "1.0.0", Cluster: "prod", Node: "n1"}); err != nil {
		c.tb.Fatal(err)
	}
	return out.Bytes()
}

// says is all that there is of users, in words.
func (c *cluster) says() string {
	c.tb.Helper()
	var lines []string
	copied, err := fsm.CopyOf(c.State)
	if err != nil {
		c.tb.Fatal(err)
	}
	name := ""
	err = copied.Drain(func(u fsm.CopiedUser) error {
		name = string(u.Name)
		lines = append(lines, fmt.Sprintf("%s %s %v %d %d %v", u.Name, u.Hash, u.Locked, u.Quota, u.Reserve, u.Replies))
		return nil
	}, func(i fsm.CopiedItem) error {
		lines = append(lines, fmt.Sprintf("%s: %s %s %d", name, i.Key, i.Value, i.Deadline))
		return nil
	})
	if err != nil {
		c.tb.Fatal(err)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func (c *cluster) version(name string) uint64 {
	u, ok := c.State.Lookup([]byte(name))
	if !ok {
		c.tb.Fatalf("no user %s", name)
	}
	return c.State.Reader(u.ID).Keyspace().Version()
}

// filled has two users with items of all sizes, deadlines, ids of ONCE, a lock and shares.
func filled(tb testing.TB) *cluster {
	c := newCluster(tb)
	alice, bob := c.user("alice"), c.user("bob")
	for i := range 3000 {
		c.do(store(alice, fmt.Sprint("key", i), strings.Repeat("v", i%300), int64(i%2)*3_600_000))
	}
	c.do(store(alice, "large", strings.Repeat("0123456789abcdef", 1<<16), 0), store(alice, "soon", "x", 1000))
	for i := range 1500 {
		once := store(bob, fmt.Sprint("k", i%7), "v", 0)
		once.Once = fmt.Append(nil, "id", i)
		c.do(once)
	}
	c.do(fsm.Command{Op: fsm.OpQuota, User: bob, N: 1 << 20}, fsm.Command{Op: fsm.OpReserve, User: bob, N: 1 << 10}, fsm.Command{Op: fsm.OpLock, User: bob, N: 1})
	return c
}

// What was saved is what there is after a restore: in an empty cluster, where there are others, and once more.
func TestSaveAndRestore(t *testing.T) {
	from := filled(t)
	want, file := from.says(), from.save()
	if again := from.save(); !bytes.Equal(sortless(t, again), sortless(t, file)) {
		t.Error("a second backup holds something else")
	}
	to := newCluster(t)
	if done, err := to.Restore(t.Context(), bytes.NewReader(file), Options{}); err != nil || done.Users != 2 || done.Items != 3009 || done.Replies != 1500 {
		t.Fatalf("%+v, %v", done, err)
	}
	if got := to.says(); got != want {
		t.Error("the restored cluster holds something else")
	}
	if v := to.version("alice"); v <= from.version("alice") {
		t.Errorf("version %d after %d", v, from.version("alice"))
	}
	ids := to.user("carol")
	to.do(store(ids, "k", "v", 0))
	before := to.version("alice")
	plan, err := to.Check(bytes.NewReader(file), Options{Replace: true})
	if err != nil || len(plan.Replaced) != 2 || plan.Totals.Items != 3009 || plan.Totals.Users != 2 || plan.Head.Cluster != "prod" {
		t.Fatalf("%+v, %v", plan, err)
	}
	if _, err := to.Restore(t.Context(), bytes.NewReader(file), Options{Replace: true, User: "alice"}); err != nil {
		t.Fatal(err)
	}
	if got := to.says(); !strings.HasPrefix(got, want) || !strings.Contains(got, "carol: k v") || to.version("alice") <= before {
		t.Error("after another restore others have changed, or versions have gone back")
	}
}

// The time of a backup is that of the cluster's clock, however long ago something was written: what has expired by then is
// not in it, and it is a new one to the cluster.
func TestTimeOfABackup(t *testing.T) {
	c := filled(t)
	for range 2 {
		c.Advance(24 * time.Hour)
		head, totals, err := archive.Read(bytes.NewReader(c.save()), "1.0.0", archive.Visitor{})
		if err != nil || head.Time != c.Now() || totals.Items != 1508 {
			t.Errorf("%+v, %+v, %v", head, totals, err)
		}
		if err := c.Note("n1", head.Time); err != nil || c.State.Stats().Backup != (fsm.Backup{Node: "n1", At: head.Time}) {
			t.Errorf("%v, %+v", err, c.State.Stats().Backup)
		}
	}
	if err := c.Note("n2", 1); err != nil || c.State.Stats().Backup.Node != "n1" {
		t.Errorf("an older one: %v, %+v", err, c.State.Stats().Backup)
	}
	if err := c.Note("n2", 0); err == nil {
		t.Error("one of no time was noted")
	}
}

// sortless is what a file tells, whatever its order: a keyspace has none.
func sortless(t *testing.T, file []byte) []byte {
	t.Helper()
	var lines []string
	note := func(v any) error { lines = append(lines, fmt.Sprint(v)); return nil }
	_, _, err := archive.Read(bytes.NewReader(file), "1.0.0", archive.Visitor{
		User: func(u archive.User) error { return note(u) }, Reply: func(r archive.Reply) error { return note(r) },
		Item: func(i archive.Item) error { return note(i) },
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return []byte(strings.Join(lines, "\n"))
}

// Check says what a restore would do, and refuses what nobody has asked for.
func TestCheck(t *testing.T) {
	from := filled(t)
	file := from.save()
	to := newCluster(t)
	to.Advance(10 * time.Second)
	plan, err := to.Check(bytes.NewReader(file), Options{})
	if err != nil || plan.Expired != 1 || plan.Totals.Items != 3008 || len(plan.Misfits)+len(plan.Replaced) > 0 {
		t.Errorf("%+v, %v", plan, err)
	}
	to.do(store(to.user("alice"), "k", "v", 0))
	to.user("bob") // has nothing
	limits := func(most, quota int64) { to.do(fsm.Command{Op: fsm.OpLimits, N: most, Limit: quota}) }
	for _, step := range []struct {
		prepare func()
		options Options
		says    string
	}{
		{nil, Options{User: "dave"}, "there is no user dave in the backup"},
		{nil, Options{}, "a user of the backup has items here already, and would be replaced: alice"},
		{nil, Options{User: "bob"}, ""},
		{nil, Options{Replace: true}, ""},
		{func() { limits(0, 1<<20) }, Options{Replace: true}, "it does not fit: alice takes "},
		{func() { limits(0, 1<<20) }, Options{Replace: true, Partial: true}, ""},
		{func() { limits(16<<20, 0) }, Options{Replace: true}, ""},
		{func() { to.do(store(to.user("big"), "k", strings.Repeat("v", 1<<20), 0)) }, Options{Replace: true}, ""},
		{func() {
			u, _ := to.State.Lookup([]byte("big"))
			for i := range 15 {
				to.do(store(u.ID, fmt.Sprint(i), strings.Repeat("v", 1<<20), 0))
			}
		}, Options{Replace: true}, "with what stays here it takes "},
	} {
		if step.prepare != nil {
			step.prepare()
		}
		was := to.says()
		plan, err := to.Check(bytes.NewReader(file), step.options)
		var refusal Refusal
		switch {
		case step.says == "" && err != nil, step.says != "" && (!errors.As(err, &refusal) || !strings.Contains(err.Error(), step.says)):
			t.Errorf("%+v: %v, want %q; %+v", step.options, err, step.says, plan.Misfits)
		case to.says() != was:
			t.Errorf("%+v: Check has changed something", step.options)
		}
	}
	later := bytes.Replace(file, []byte("1.0.0"), []byte("1.0.0"), 1)
	later[len(later)-1] ^= 1
	if _, err := to.Check(bytes.NewReader(later), Options{Replace: true}); !errors.Is(err, archive.ErrDamaged) {
		t.Errorf("a damaged file: %v", err)
	}
}

// A file of a later log, or with a user twice, is not restored.
func TestFilesThatAreNotRestored(t *testing.T) {
	to := newCluster(t)
	made := func(entries int, names ...string) *bytes.Reader {
		var out bytes.Buffer
		w, err := archive.NewWriter(&out, archive.Head{Release: "9.9.9", Cluster: "c", Node: "n", Time: 1, Entries: entries})
		for _, name := range names {
			err = errors.Join(err, w.User(&archive.User{Name: []byte(name), Hash: []byte("h")}))
		}
		if _, closing := w.Close(); err != nil || closing != nil {
			t.Fatal(err, closing)
		}
		return bytes.NewReader(out.Bytes())
	}
	if _, err := to.Check(made(fsm.EntryVersion+1, "a"), Options{}); err == nil || !strings.Contains(err.Error(), "install ciderd 9.9.9 or later") {
		t.Errorf("of a later log: %v", err)
	}
	if _, err := to.Check(made(fsm.EntryVersion, "a", "b", "a"), Options{}); !errors.Is(err, archive.ErrDamaged) {
		t.Errorf("a user twice: %v", err)
	}
	if plan, err := to.Check(made(fsm.EntryVersion), Options{}); err != nil || plan.Totals.Users != 0 {
		t.Errorf("nobody: %+v, %v", plan, err)
	}
}

// A partial restore leaves out what does not fit, and the others are whole.
func TestPartial(t *testing.T) {
	from := filled(t)
	file := from.save()
	to := newCluster(t)
	to.do(fsm.Command{Op: fsm.OpLimits, Limit: 1 << 20, Flags: fsm.FlagReject})
	if _, err := to.Restore(t.Context(), bytes.NewReader(file), Options{}); err == nil || !strings.Contains(err.Error(), "user alice: it does not fit into the quota") {
		t.Errorf("%v", err)
	}
	if u, _ := to.State.Lookup([]byte("alice")); !u.Restoring {
		t.Error("alice is let in with a part of what was hers")
	}
	if _, err := fsm.CopyOf(to.State); !errors.Is(err, fsm.ErrRestoring) {
		t.Errorf("a copy: %v", err)
	}
	done, err := to.Restore(t.Context(), bytes.NewReader(file), Options{Partial: true})
	if err != nil || done.Skipped == 0 || done.Users != 2 {
		t.Fatalf("%+v, %v", done, err)
	}
	if u, _ := to.State.Lookup([]byte("alice")); u.Restoring {
		t.Error("alice is not let in")
	}
	if u, _ := to.State.Shares().Of(3); u.Memory > 1<<20 {
		t.Errorf("%+v", u)
	}
	// What is said to be restored is what is there.
	var there archive.Totals
	for _, name := range []string{"alice", "bob"} {
		u, _ := to.State.Lookup([]byte(name))
		there.Items += int64(to.State.Shares().Keyspace(u.ID).Len())
	}
	whole, err := from.Check(bytes.NewReader(file), Options{Replace: true})
	if err != nil || done.Items != there.Items || done.Items+done.Replies+done.Skipped != whole.Totals.Items+whole.Totals.Replies || done.Bytes >= whole.Totals.Bytes {
		t.Errorf("%+v is said to be done, of %+v; %d items are there, %v", done, whole.Totals, there.Items, err)
	}
}

// While nothing can be written a restore tries on, and then goes on as if nothing had been; what was lost on its way and
// what was applied without a word are the same to it.
func TestAcrossTroubles(t *testing.T) {
	from := filled(t)
	want, file := from.says(), from.save()
	to := newCluster(t)
	troubles := 0
	well := to.Config.Propose
	to.Config.Propose = func(g fsm.Group) func() ([]fsm.Result, error) {
		if troubles++; troubles%5 > 1 {
			return well(g)
		}
		if troubles%2 == 0 { // it is applied, and nobody hears of it
			_, _ = well(g)()
		}
		return func() ([]fsm.Result, error) { return nil, errors.New("no leader could be reached") }
	}
	done, err := to.Restore(t.Context(), bytes.NewReader(file), Options{})
	if err != nil || done.Users != 2 || to.says() != want || troubles < 10 {
		t.Errorf("%+v, %v, %d proposals", done, err, troubles)
	}
}

// A restore that is ended in the middle says who is left, and can be run again.
func TestBrokenOff(t *testing.T) {
	from := filled(t)
	want, file := from.says(), from.save()
	to := newCluster(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := errors.New("ended")
	n, well := 0, to.Config.Propose
	to.Config.Propose = func(g fsm.Group) func() ([]fsm.Result, error) {
		if n++; n == 3 {
			cancel(ended)
			return func() ([]fsm.Result, error) { return nil, errors.New("shut down") }
		}
		return well(g)
	}
	done, err := to.Restore(ctx, bytes.NewReader(file), Options{})
	if !errors.Is(err, ended) || done.Incomplete != "alice" || done.Users != 0 {
		t.Errorf("%+v, %v", done, err)
	}
	if _, err := from.Save(ctx, &bytes.Buffer{}, archive.Head{}); !errors.Is(err, ended) {
		t.Errorf("saving: %v", err)
	}
	if plan, err := to.Check(bytes.NewReader(file), Options{}); err != nil || len(plan.Replaced) > 0 {
		t.Errorf("%+v, %v", plan, err)
	}
	if _, err := to.Restore(t.Context(), bytes.NewReader(file), Options{}); err != nil || to.says() != want {
		t.Errorf("run again: %v", err)
	}
}

// Two restores at a time do not mix: the one that came first to a user ends with an error.
func TestTwoAtATime(t *testing.T) {
	from := filled(t)
	want, file := from.says(), from.save()
	to := newCluster(t)
	n, well := 0, to.Config.Propose
	to.Config.Propose = func(g fsm.Group) func() ([]fsm.Result, error) {
		if n++; n == 3 {
			other := to.Config
			other.Propose = well
			if _, err := other.Restore(t.Context(), bytes.NewReader(file), Options{}); err != nil {
				t.Error(err)
			}
		}
		return well(g)
	}
	_, err := to.Restore(t.Context(), bytes.NewReader(file), Options{})
	if err == nil || !strings.Contains(err.Error(), "user alice: the user has been removed, or another restore has begun") {
		t.Errorf("%v", err)
	}
	if to.says() != want {
		t.Error("the two are mixed")
	}
}

// The groups keep to the bounds of the write path.
func TestGroups(t *testing.T) {
	to := newCluster(t)
	var counts, bytesOf []int
	to.Config.Propose = func(g fsm.Group) func() ([]fsm.Result, error) {
		counts, bytesOf = append(counts, g.Count), append(bytesOf, len(g.Commands))
		return to.Node.Propose(g, time.Second).Wait
	}
	if _, err := to.Restore(t.Context(), bytes.NewReader(filled(t).save()), Options{}); err != nil {
		t.Fatal(err)
	}
	alone := 0
	for i, n := range counts {
		if n > groupCommands || n > 1 && bytesOf[i] > groupBytes {
			t.Errorf("a group of %d commands and %d bytes", n, bytesOf[i])
		}
		if n == 1 && bytesOf[i] > groupBytes {
			alone++
		}
	}
	if alone != 1 || len(counts) < 6 {
		t.Errorf("%v, %v", counts, bytesOf)
	}
}
