package test

import (
	"crypto/rand"
	"strings"
	"testing"

	"ciderd/internal/harness"
)

// uniqueLength is the length of what {u} stands for; the files with limits of
// names count on it.
const uniqueLength = 8

// unique gives a suffix for user names, so that a file runs any number of times
// against the same daemon.
func unique() string { return strings.ToLower(rand.Text()[:uniqueLength]) }

// TestConversations runs every file against one node, against the leader of
// three and against a follower of three. Files see no difference.
func TestConversations(t *testing.T) {
	all := loadConversations(t)
	t.Run("one node", func(t *testing.T) {
		c := harness.Start(t, harness.Options{})
		runConversations(t, all, textPorts(c.Nodes[0]))
	})
	if testing.Short() {
		return
	}
	c := harness.Start(t, harness.Options{Nodes: 3})
	leader := c.Leader()
	others := c.Followers(leader)
	t.Run("leader of three", func(t *testing.T) {
		runConversations(t, all, textPorts(leader, others...))
	})
	t.Run("follower of three", func(t *testing.T) {
		runConversations(t, all, textPorts(others[0], leader, others[1]))
	})
}

func textPorts(first *harness.Node, others ...*harness.Node) []string {
	addrs := []string{first.Text}
	for _, n := range others {
		addrs = append(addrs, n.Text)
	}
	return addrs
}

func runConversations(t *testing.T, all map[string][]step, addrs []string) {
	for _, name := range conversationNames(all) {
		t.Run(strings.TrimSuffix(name, ".txt"), func(t *testing.T) {
			t.Parallel() // they mostly wait
			if err := runConversation(all[name], addrs, unique()); err != nil {
				t.Errorf("conversations/%s: %v", name, err)
			}
		})
	}
}
