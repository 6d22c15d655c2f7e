package daemon

import (
	"errors"
	"fmt"

	"ciderd/internal/accounts"
	"ciderd/internal/admin/api"
	"ciderd/internal/config"
	"ciderd/internal/fsm"
	"ciderd/internal/limits"
)

// operatedLimits is the limits on memory as the admin socket needs them.
type operatedLimits struct {
	accounts *accounts.Accounts
	shares   func() fsm.Shares
	nodes    func() []api.NodeLimits // what the files say, this node's first
}

// Limits returns what holds, and what the nodes' files say.
func (l operatedLimits) Limits() api.Limits {
	shares := l.shares()
	now, set := shares.Limits()
	return api.Limits{
		Set: set, MaxMemory: now.MaxMemory, WhenFull: whenFull(now.Reject), Quota: now.Quota,
		Working: shares.Working(), Memory: shares.Memory(), Nodes: l.nodes(),
	}
}

// limitsOfNodes returns what each node's file says, as far as it was heard.
func (d *Daemon) limitsOfNodes() []api.NodeLimits {
	file := d.node.Limits().File()
	all := []api.NodeLimits{ofNode(d.config.NodeName, file, machineMemory())}
	for _, p := range d.node.Status().Peers {
		switch {
		case p.Limits != nil:
			all = append(all, ofNode(p.Name, limits.File(*p.Limits), p.Machine))
		case p.Reason != "":
			all = append(all, api.NodeLimits{Name: p.Name, Reason: p.Reason})
		default:
			all = append(all, api.NodeLimits{Name: p.Name, Reason: "it runs a release without limits"})
		}
	}
	return all
}

func ofNode(name string, f limits.File, memory int64) api.NodeLimits {
	return api.NodeLimits{
		Name: name, MaxMemory: limits.Size(f.MaxMemory), WhenFull: whenFull(f.Reject), Quota: limits.Size(f.Quota), Memory: memory,
	}
}

func whenFull(reject bool) string {
	if reject {
		return config.WhenFullReject
	}
	return config.WhenFullEvict
}

// SetQuota gives a user a quota.
func (l operatedLimits) SetQuota(name string, bytes int64) (said string, err error) {
	if bytes > 0 && bytes < fsm.MinQuota {
		return "", fmt.Errorf("%w: a quota is at least %s", api.ErrRefused, config.Memory(fsm.MinQuota))
	}
	err = l.accounts.SetQuota(name, bytes)
	var reserved *accounts.ReservedError
	switch {
	case errors.As(err, &reserved):
		return "", fmt.Errorf("%w: the reserve of %s is above 15/16 of that quota; make it %s or less first, with ciderd user reserve",
			api.ErrRefused, name, most(reserved))
	case err != nil:
		return "", notShared(err, "quota", name)
	case bytes == 0:
		return name + " has no quota of their own any more", nil
	}
	return fmt.Sprintf("%s has a quota of %s", name, config.Memory(bytes)), nil
}

// SetReserve keeps memory for a user.
func (l operatedLimits) SetReserve(name string, bytes int64) (said string, err error) {
	err = l.accounts.SetReserve(name, bytes)
	var reserved *accounts.ReservedError
	switch {
	case errors.As(err, &reserved):
		return "", fmt.Errorf("%w: a reserve takes at most 15/16 of the user's quota, and all together at most 7/16 of the limit: %s can have %s",
			api.ErrRefused, name, most(reserved))
	case err != nil:
		return "", notShared(err, "reserve", name)
	case bytes == 0:
		return name + " has no reserve any more", nil
	}
	return fmt.Sprintf("%s has a reserve of %s", name, config.Memory(bytes)), nil
}

// most returns what can be reserved, in whole KiB.
func most(e *accounts.ReservedError) string {
	if e.Most < 1<<10 {
		return "none"
	}
	return config.Memory(e.Most &^ (1<<10 - 1)).String()
}

// notShared says why a quota or a reserve was not set.
func notShared(err error, what, name string) error {
	switch {
	case errors.Is(err, accounts.ErrGone):
		return noUser(name)
	case errors.Is(err, accounts.ErrUnread):
		return fmt.Errorf("%w: not every node of the cluster knows quotas and reserves yet: upgrade all of them first", api.ErrRefused)
	case errors.Is(err, accounts.ErrLoading):
		return fmt.Errorf("%w: %w; try again, or on another node", api.ErrRefused, err)
	}
	return unwritten(err, "the "+what+" was", "set")
}
