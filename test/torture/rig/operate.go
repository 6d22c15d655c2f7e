package rig

import (
	"context"
	"fmt"
	"os/exec"
	"strings"

	"ciderd/test/harness"
)

// Operate runs a command of an operator's on a node's admin socket, as one would type it. An error
// carries what it printed and, as *exec.ExitError, its exit code.
func (n *Node) Operate(ctx context.Context, words ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, HealLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, n.bin, append(words, "-config", n.config, "-node", n.Name)...)
	cmd.Env = harness.CleanEnv()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("ciderd %s on %s: %w: %s", strings.Join(words, " "), n.Name, err, strings.TrimSpace(string(out)))
	}
	return strings.TrimSpace(string(out)), nil
}
