//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"ciderd/test/harness"
)

// said is what one command printed, and its exit code.
type said struct {
	out, err string
	code     int
}

// command runs ciderd with the words in args, for node n.
func command(t *testing.T, c *harness.Cluster, n *harness.Node, stdin string, args ...string) said {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), harness.Limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, harness.Binary(t), append(args, "-config", c.ConfigPath(), "-node", n.Name)...)
	cmd.Env, cmd.Stdin, cmd.Dir = harness.CleanEnv(), strings.NewReader(stdin), c.Dir
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	s := said{code: exitCode(cmd.Run())}
	s.out, s.err = out.String(), errs.String()
	return s
}

// does wants the command to succeed with words in what it prints.
func does(t *testing.T, s said, words ...string) {
	t.Helper()
	if s.code != 0 || s.err != "" {
		t.Fatalf("exit code %d, printed %q and %q", s.code, s.out, s.err)
	}
	for _, w := range words {
		if !strings.Contains(s.out, w) {
			t.Errorf("printed %q, without %q", s.out, w)
		}
	}
}

// fails wants an exit code, and words in the message.
func fails(t *testing.T, s said, code int, words ...string) {
	t.Helper()
	if s.code != code || s.err == "" {
		t.Errorf("exit code %d, want %d; printed %q and %q", s.code, code, s.out, s.err)
	}
	for _, w := range words {
		if !strings.Contains(s.err, w) {
			t.Errorf("printed %q, without %q", s.err, w)
		}
	}
}

// row is the node's line of member list, with single blanks.
func row(s said, name string) string {
	for line := range strings.Lines(s.out) {
		if fields := strings.Fields(line); len(fields) > 0 && fields[0] == name {
			return strings.Join(fields, " ")
		}
	}
	return ""
}

func TestMemberListAndTransfer(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3})
	leader := c.Leader()
	for _, n := range c.Nodes {
		list := command(t, c, n, "", "member", "list")
		does(t, list, "NAME", "LAST INDEX")
		for _, m := range c.Nodes {
			want := `^` + m.Name + ` ` + m.Name + `/[0-9a-f]+ voter follower yes \d+$`
			if m == leader {
				want = strings.Replace(want, "follower", "leader", 1)
			}
			if got := row(list, m.Name); !regexp.MustCompile(want).MatchString(got) {
				t.Errorf("%s lists %q, want %s", n.Name, got, want)
			}
		}
	}
	heir := c.Followers(leader)[1]
	does(t, command(t, c, c.Followers(leader)[0], "", "transfer", heir.Name), heir.Name+" leads now; "+leader.Name+" led before")
	if got := c.Leader(); got != heir {
		t.Errorf("%s leads", got.Name)
	}
	does(t, command(t, c, heir, "", "transfer"), "leads now; "+heir.Name+" led before")

	fails(t, command(t, c, heir, "", "transfer", "n9"), 1, `no node "n9"`)
	fails(t, command(t, c, heir, "", "transfer", "n1", "n2"), 64, "usage: ciderd transfer")
	fails(t, command(t, c, heir, "", "member"), 64, "member what? One of: list, add, remove, promote")
	fails(t, command(t, c, heir, "", "member", "explode"), 64, "member explode")
	fails(t, command(t, c, heir, "", "member", "remove"), 64, "usage: ciderd member remove [-yes] NAME")
	fails(t, command(t, c, heir, "", "recover"), 64, "-plan")
	fails(t, command(t, c, heir, "", "recover", "-plan"), 1, "in use by another process")
	fails(t, command(t, c, &harness.Node{Name: "n9"}, "", "member", "list"), 78, "n9")
	info, err := os.Stat(filepath.Join(heir.DataDir, "admin.sock"))
	if err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("the socket: %v, %v", info, err)
	}
	heir.Kill()
	fails(t, command(t, c, heir, "", "member", "list"), 1, "no node is running")
	heir.Start() // over the socket of the dead process
	heir.WaitServing()
	does(t, command(t, c, heir, "", "member", "list"), heir.Name)
}

// TestRemoveWipeReadmit takes a node out, whose process ends and says why, and lets it in again
// once its disk is empty, with no command typed.
func TestRemoveWipeReadmit(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3})
	user := "gone-" + harness.Unique()
	mustDo(t, harness.LoginAs(t, c.Leader(), user), "SET k v", "OK")
	gone := c.Followers(c.Leader())[0]
	other := c.Followers(gone)[0]
	does(t, command(t, c, other, "", "member", "remove", gone.Name), "removed "+gone.Name+"/", "voters now: 2, of which 0 may fail")
	if code := gone.WaitEnd(harness.Limit); code != 65 {
		t.Errorf("the removed node ends with %d, want 65", code)
	}
	logHolds(t, gone, "removed from the cluster: remove its data directory")
	fails(t, command(t, c, other, "", "member", "add", gone.Name), 1, "does not answer")
	for _, n := range c.Followers(gone) {
		fails(t, command(t, c, other, "", "member", "add", n.Name), 1, "a member already")
	}
	gone.WipeData()
	gone.Start()
	gone.WaitServing()
	mustDo(t, harness.LoginAs(t, gone, user), "GET k", "v")
	harness.Eventually(t, "it has its vote again", func() error {
		got := row(command(t, c, other, "", "member", "list"), gone.Name)
		if !strings.Contains(got, " voter ") {
			return fmt.Errorf("%q", got)
		}
		return nil
	})
	// With one of three dead, taking another one out would stop the cluster.
	gone.Kill()
	fails(t, command(t, c, other, "", "member", "remove", other.Name), 1, "refused", gone.Name+"/")
	does(t, command(t, c, other, "", "member", "remove", gone.Name), "removed")
	mustDo(t, harness.LoginAs(t, other, user), "SET k w", "OK")
}

func logHolds(t *testing.T, n *harness.Node, words string) {
	t.Helper()
	log, err := os.ReadFile(n.LogPath)
	if err != nil || !strings.Contains(string(log), words) {
		t.Errorf("the log of %s has no %q (%v)", n.Name, words, err)
	}
}

// TestAddByHand replaces a node at once.
func TestAddByHand(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3})
	gone := c.Followers(c.Leader())[0]
	gone.Kill()
	gone.WipeData()
	gone.Start()
	harness.Eventually(t, "let in", func() error {
		s := command(t, c, c.Leader(), "", "member", "add", gone.Name)
		if s.code == 0 && strings.Contains(s.out, "let "+gone.Name+"/") || strings.Contains(s.err, "a member already") {
			return nil
		}
		return fmt.Errorf("%+v", s)
	})
	gone.WaitServing()
}

// TestSecondMachineOfAName starts another machine under the name of a node that lives. It is not
// let in, it says so, and the one that lives goes on.
func TestSecondMachineOfAName(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3})
	first := c.Followers(c.Leader())[0]
	text, err := os.ReadFile(c.ConfigPath())
	if err != nil {
		t.Fatal(err)
	}
	file, log := filepath.Join(c.Dir, "second.hcl"), filepath.Join(c.Dir, "second.log")
	if err := os.WriteFile(file, []byte(elsewhere(t, string(text), first)), 0o600); err != nil {
		t.Fatal(err)
	}
	second, err := harness.StartProcess(harness.Binary(t), c.Dir, log, nil, "-config", file, "-node", first.Name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = second.Kill() }()
	says := regexp.MustCompile(`two machines have the same name: ` + first.Name + `/[0-9a-f]+ is alive, so ` + first.Name + `/[0-9a-f]+ cannot`)
	harness.Eventually(t, "the second one says so", func() error {
		text, err := os.ReadFile(log)
		if err == nil && !says.Match(text) {
			err = fmt.Errorf("its log:\n%s", text)
		}
		return err
	})
	user := "twins-" + harness.Unique()
	mustDo(t, harness.LoginAs(t, first, user), "SET k v", "OK")
	if got := row(command(t, c, first, "", "member", "list"), first.Name); !strings.Contains(got, " voter ") {
		t.Errorf("the first one is listed as %q", got)
	}
}

// elsewhere is the config file with node n on other ports and another disk.
func elsewhere(t *testing.T, text string, n *harness.Node) string {
	start := strings.Index(text, fmt.Sprintf("node %q {", n.Name))
	if start < 0 {
		t.Fatalf("no %s in\n%s", n.Name, text)
	}
	end := start + strings.Index(text[start:], "}")
	block := strings.ReplaceAll(text[start:end], n.DataDir, n.DataDir+"-second")
	ports := map[string]string{}
	block = regexp.MustCompile(`127\.0\.0\.1:\d+`).ReplaceAllStringFunc(block, func(old string) string {
		if ports[old] == "" {
			ports[old] = fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t))
		}
		return ports[old]
	})
	return text[:start] + block + text[end:]
}

func TestUserAddWithSignupClosed(t *testing.T) {
	c := harness.New(t, harness.Options{Nodes: 3, Config: `auth { signup = "closed" }`})
	for _, n := range c.Nodes {
		n.Start()
	}
	for _, n := range c.Nodes {
		n.WaitServing()
	}
	if err := harness.SignupOn(c.Nodes[0], "bob", harness.Password); harness.Code(err) != "SIGNUP_CLOSED" {
		t.Errorf("SIGNUP: %v", err)
	}
	const secret = "a secret with  blanks"
	// The blanks around it do not count, as everywhere.
	does(t, command(t, c, c.Nodes[1], " "+secret+" \t\nmore\n", "user", "add", "bob"), "added user bob")
	for _, n := range c.Nodes {
		onlyPassword(t, n, "bob", secret, secret+"x")
	}
	fails(t, command(t, c, c.Nodes[2], "other\n", "user", "add", "bob"), 1, "a user bob already")
	fails(t, command(t, c, c.Nodes[2], "", "user", "add", "eve"), 1, "bad password")
	fails(t, command(t, c, c.Nodes[2], strings.Repeat("x", 73), "user", "add", "eve"), 1, "bad password")
	fails(t, command(t, c, c.Nodes[2], "x\n", "user", "add", "not a name"), 1, "bad user name")
	fails(t, command(t, c, c.Nodes[2], "x\n", "user", "add"), 64, "usage: ciderd user add NAME")
	for _, n := range c.Nodes {
		if err := harness.CheckLog(n.LogPath, secret); err != nil {
			t.Error(err)
		}
	}
}

// TestQuotaAndReserve sets shares of a user on one node; another one shows them.
func TestQuotaAndReserve(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3})
	user := "shared-" + harness.Unique()
	harness.LoginAs(t, c.Nodes[1], user)
	does(t, command(t, c, c.Nodes[1], "", "user", "quota", user, "1MiB"), user+" has a quota of 1MiB")
	fails(t, command(t, c, c.Nodes[1], "", "user", "reserve", user, "1MiB"), 1, "can have 960KiB")
	does(t, command(t, c, c.Nodes[1], "", "user", "reserve", user, "512KiB"), user+" has a reserve of 512KiB")
	harness.Eventually(t, "another node knows the reserve", func() error {
		s := command(t, c, c.Nodes[2], "", "user", "quota", user, "64KiB")
		if s.code != 1 || !strings.Contains(s.err, "make it 60KiB or less first") {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	does(t, command(t, c, c.Nodes[2], "", "user", "reserve", user, "none"), "no reserve any more")
	fails(t, command(t, c, c.Nodes[0], "", "user", "quota", "nobody", "1MiB"), 1, "there is no user nobody")
	fails(t, command(t, c, c.Nodes[0], "", "user", "quota", user, "1KiB"), 64, "out of range")
	does(t, command(t, c, c.Nodes[0], "", "limits"), "limit ", "when full ", "NODE ", c.Nodes[0].Name+" ", " auto ")
	does(t, command(t, c, c.Nodes[0], "", "limits", "-json"), `"WhenFull": "evict"`)
}

// TestRecoverSurvivor loses two of three for good, goes on from the third, and sees the old ones
// come back.
func TestRecoverSurvivor(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3})
	user := "survivor-" + harness.Unique()
	mustDo(t, harness.LoginAs(t, c.Leader(), user), "SET k v", "OK")
	survivor := c.Followers(c.Leader())[0]
	mustDo(t, harness.LoginAs(t, survivor, user), "SYNC", "OK")
	survivor.Stop(harness.StopLimit)
	fails(t, command(t, c, survivor, "", "recover", "-accept-loss"), 1, "the quorum is not lost")
	lost := c.Followers(survivor)
	for _, n := range lost {
		n.Kill()
	}
	plan := command(t, c, survivor, "", "recover", "-plan")
	does(t, plan, "last entry", "term", survivor.Name+"/", time.Now().Local().Format("2006-01-02"),
		"May be lost", "Becomes committed", "-accept-loss")
	if again := command(t, c, survivor, "", "recover", "-plan"); firstLines(again.out, 3) != firstLines(plan.out, 3) {
		t.Errorf("the plan has changed something:\n%s\n%s", plan.out, again.out)
	}
	does(t, command(t, c, survivor, "", "recover", "-accept-loss"), "the only voter", survivor.DataDir+".before-recover-")
	if copies, _ := filepath.Glob(survivor.DataDir + ".before-recover-*/raft.db"); len(copies) != 1 {
		t.Errorf("copies: %v", copies)
	}
	survivor.Start()
	survivor.WaitServing()
	conn := harness.LoginAs(t, survivor, user)
	mustDo(t, conn, "GET k", "v")
	mustDo(t, conn, "SET k w", "OK")

	// The two that were lost come back as they were. They would be a majority of the old cluster.
	for _, n := range lost {
		n.Start()
	}
	for _, n := range lost {
		if code := n.WaitEnd(harness.Limit); code != 65 {
			t.Errorf("%s ends with %d, want 65", n.Name, code)
		}
		logHolds(t, n, "remove its data directory to let it join as a new one")
	}
	mustDo(t, conn, "SET k x", "OK")
	for _, n := range lost {
		n.WipeData()
		n.Start()
		n.WaitServing()
		mustDo(t, harness.LoginAs(t, n, user), "GET k", "x")
	}
	sameEverywhere(t, c, user)
}

func firstLines(s string, n int) string {
	return strings.Join(strings.SplitAfterN(s, "\n", n+1)[:n], "")
}
