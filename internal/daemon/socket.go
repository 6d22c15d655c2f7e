package daemon

import (
	"ciderd/internal/admin"
	"ciderd/internal/admin/api"
)

// openSocket opens the operators' socket. It comes after the node: that holds the lock on the data directory, so no
// process owns a socket left in there.
func (d *Daemon) openSocket() (err error) {
	ask := operators{d}
	path, mode := api.Place(d.config.DataDir)
	d.socket, err = admin.Open(path, admin.Config{
		Name: d.config.NodeName, Mode: mode, Report: d.reports.Report, Full: d.reports.Full, Past: d.reports.Past, Members: d.node.Membership(), Users: d.operatedUsers(),
		Sync: ask.sync, Reload: ask.reload,
		Drain: ask.drain, Drained: ask.drained, Debug: ask.debug,
		Limits:  operatedLimits{accounts: d.accounts, shares: d.node.FSM().Shares, nodes: d.limitsOfNodes},
		Backups: newOperatedBackups(d),
		Log:     d.log.Named("admin"),
	})
	return err
}
