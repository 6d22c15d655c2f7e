package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ciderd/test/served"
)

func startBenchNode(t *testing.T) *served.Node {
	t.Helper()
	n, err := served.Start(t.Context(), "bob", "secret")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Server.Close() })
	n.Memory = "1000"
	return n
}

// runBench runs the verb as bob; interrupted is done when somebody has had enough.
func runBench(t *testing.T, interrupted context.Context, password string, args ...string) (code int, out, errs string) {
	t.Helper()
	verb := Bench(func() (context.Context, context.CancelFunc) { return context.WithCancel(interrupted) })
	return runVerbs(t, []Verb{verb, Help()}, "bench", password+"\n", args...)
}

// Both protocols: figures for people, and nothing is left.
func TestBench(t *testing.T) {
	n := startBenchNode(t)
	for _, where := range [][]string{{"-addr", n.Text}, {"-addr", n.RESP, "-redis"}, {"-addr", n.Text + "," + n.Text}} {
		args := append(where, "-user", "bob", "-conns", "3", "-keys", "50", "-ops", "500", "-warm", "0", "-mix", "get=2,set=1,setex=1,incr=1", "-zipf", "0.99", "-size", "1-100")
		code, out, errs := runBench(t, t.Context(), "secret", args...)
		if code != 0 || !strings.Contains(errs, "up to 50 keys from bench:0000000000 on, about ") {
			t.Fatalf("%q: %d, %q, %q", where, code, out, errs)
		}
		for _, want := range []string{"3 connections, 1 at once, get=2,set=1,setex=1,incr=1, 50 keys", "\n    get ", "\n   incr ", "\n  setex ", "\n    all ", "100%", "P99.9", "longest time of a connection"} {
			if !strings.Contains(out, want) {
				t.Errorf("%q: no %q in\n%s", where, want, out)
			}
		}
		if left := n.FSM().Stats().Items; left != 0 {
			t.Errorf("%q: %d keys are left", where, left)
		}
	}
}

// The names in -json are what scripts rely on.
func TestBenchJSON(t *testing.T) {
	n := startBenchNode(t)
	code, out, errs := runBench(t, t.Context(), "secret", "-addr", n.Text, "-user", "bob", "-keys", "10", "-ops", "100", "-conns", "2", "-pipe", "5", "-warm", "0", "-json", "-mix", "get")
	if code != 0 {
		t.Fatalf("%d, %q, %q", code, out, errs)
	}
	var r map[string]any
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	names := func(of any) string {
		var all []string
		for name := range of.(map[string]any) {
			all = append(all, name)
		}
		slices.Sort(all)
		return strings.Join(all, " ")
	}
	get := r["Operations"].(map[string]any)["get"]
	for of, want := range map[string]string{
		names(r):                  "Answered Errors Load LongestWait Milliseconds Operations PerSecond Reconnected Seconds Unanswered",
		names(r["Milliseconds"]):  "Max Mean P50 P90 P99 P999",
		names(r["Load"]):          "Addresses Connections Keys MaxSize MinSize Mix Pipeline Rate Zipf",
		names(get):                "Answered Found Milliseconds PerSecond",
		fmt.Sprint(r["Answered"]): "100",
		fmt.Sprint(get.(map[string]any)["Found"]): "100",
		fmt.Sprint(r["Errors"]):                   "[]",
	} {
		if of != want {
			t.Errorf("%s, want %s", of, want)
		}
	}
}

// Keys that are there are somebody's, unless it is said that they are not.
func TestBenchLeavesKeysAlone(t *testing.T) {
	n := startBenchNode(t)
	args := func(more ...string) []string {
		return append([]string{"-addr", n.Text, "-user", "bob", "-keys", "10", "-ops", "10", "-conns", "1", "-warm", "0"}, more...)
	}
	if code, _, errs := runBench(t, t.Context(), "secret", args("-keep")...); code != 0 || !strings.Contains(errs, "; they stay") {
		t.Fatalf("%d, %q", code, errs)
	}
	groups := len(n.Groups())
	for range 2 {
		code, out, errs := runBench(t, t.Context(), "secret", args()...)
		if code != 1 || out != "" || !strings.Contains(errs, "there is bench:0000000000 already: take another -prefix, or -keep") {
			t.Errorf("%d, %q, %q", code, out, errs)
		}
	}
	if n.FSM().Stats().Items != 10 || len(n.Groups()) != groups {
		t.Errorf("%d keys are left, after %d writes", n.FSM().Stats().Items, len(n.Groups())-groups)
	}
	if code, _, errs := runBench(t, t.Context(), "secret", args("-prefix", "b:")...); code != 0 || n.FSM().Stats().Items != 10 {
		t.Errorf("another prefix: %d, %q, %d keys", code, errs, n.FSM().Stats().Items)
	}
}

// What does not fit below the limit on memory would have others' keys evicted.
func TestBenchHasRoom(t *testing.T) {
	n := startBenchNode(t)
	n.Limit = "2000"
	args := []string{"-addr", n.Text, "-user", "bob", "-ops", "10", "-conns", "1", "-warm", "0", "-keep", "-keys"}
	if code, out, errs := runBench(t, t.Context(), "secret", append(args, "100")...); code != 1 || out != "" || !strings.Contains(errs, "there is room for 1000B below the limit") {
		t.Errorf("100 keys: %d, %q, %q", code, out, errs)
	}
	if len(n.Groups()) > 1 { // the account
		t.Errorf("%d writes", len(n.Groups()))
	}
	if code, _, errs := runBench(t, t.Context(), "secret", append(args, "5")...); code != 0 {
		t.Errorf("5 keys: %d, %q", code, errs)
	}
}

// Errors among the answers are shown, and are the exit code; a wrong password stops it before it begins.
func TestBenchFails(t *testing.T) {
	n := startBenchNode(t)
	args := []string{"-addr", n.Text, "-user", "bob", "-keys", "10", "-ops", "10", "-conns", "2", "-warm", "0", "-size", "100000"}
	if code, out, errs := runBench(t, t.Context(), "wrong", args...); code != 1 || out != "" || !strings.Contains(errs, "AUTH_FAILED") {
		t.Errorf("a wrong password: %d, %q, %q", code, out, errs)
	}
	if err := n.Accounts.SetQuota("bob", 64<<10); err != nil {
		t.Fatal(err)
	}
	if code, out, errs := runBench(t, t.Context(), "secret", append(args, "-mix", "set")...); code != 1 || !strings.Contains(out, "\n10 times QUOTA: QUOTA ") {
		t.Errorf("a quota: %d, %q, %q", code, out, errs)
	}
	if code, out, errs := runBench(t, t.Context(), "secret", args...); code != 1 || out != "" || !strings.Contains(errs, "storing the keys: QUOTA") {
		t.Errorf("a quota, filling: %d, %q, %q", code, out, errs)
	}
}

// Ctrl-C: what was measured so far is printed, and the keys are removed all the same.
func TestBenchInterrupted(t *testing.T) {
	n := startBenchNode(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		for len(n.Groups()) < 100 && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
	}()
	code, out, errs := runBench(t, ctx, "secret", "-addr", n.Text, "-user", "bob", "-for", "1h", "-warm", "0", "-mix", "set,get", "-keys", "100", "-conns", "2")
	if code != 0 || !strings.Contains(out, " answers a second for ") || n.FSM().Stats().Items != 0 {
		t.Errorf("%d, %q, %q, %d keys", code, out, errs, n.FSM().Stats().Items)
	}
	code, out, errs = runBench(t, ctx, "secret", "-addr", n.Text, "-user", "bob")
	if code != 1 || out != "" || !strings.Contains(errs, "ended before anything was measured") {
		t.Errorf("at once: %d, %q, %q", code, out, errs)
	}
}

func TestBenchUsage(t *testing.T) {
	for _, x := range [][2]string{
		{"", "-user NAME"}, {"-user a\tb", "no blanks"}, {"-user bob -addr nowhere", "HOST:PORT"}, {"-user bob -mix flush", "-mix: "},
		{"-user bob -keys 0", "-keys"}, {"-user bob -conns x", "-conns"}, {"-user bob -size 10-5", "-size"}, {"-user bob -zipf 0", "-zipf"},
		{"-user bob -prefix a*b", "-prefix"}, {"-user bob -prefix=", "-prefix"}, {"-user bob -for 0", "-for"}, {"-user bob -for 1s -ops 5", "not both"},
		{"-user bob -rate NaN", "-rate"}, {"-user bob -pass secret", "not defined"}, {"-user bob secret", "unexpected argument"},
	} {
		code, out, errs := runBench(t, t.Context(), "secret", strings.Split(x[0], " ")...)
		if x[0] == "" {
			code, out, errs = runBench(t, t.Context(), "secret")
		}
		if code != ExitUsage || out != "" || !strings.Contains(errs, x[1]) {
			t.Errorf("%q: %d, %q, %q", x[0], code, out, errs)
		}
	}
}
