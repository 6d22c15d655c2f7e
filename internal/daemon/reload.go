package daemon

import (
	"ciderd/internal/admin/api"
	"ciderd/internal/config"
)

// Reload reads the file and the variables again and applies what may change while the daemon runs; the log and the answer
// say what that is, and what needs a restart. It applies nothing if anything in the file is wrong, if the file is another
// node's, or if it newly names certificates that do not work. Reloads come one after the other.
func (d *Daemon) Reload() (api.Reloaded, error) {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	c, err := d.config.Again()
	var answer api.Reloaded
	if err == nil {
		answer, err = d.take(c)
	}
	if err != nil {
		d.log.Error("the configuration has errors and was not applied", "error", err)
		return api.Reloaded{}, err
	}
	return answer, nil
}

// take applies a configuration; reloading is held.
func (d *Daemon) take(c *config.Config) (answer api.Reloaded, err error) {
	if err := config.Replaces(d.config, c); err != nil {
		return answer, err
	}
	use, err := d.encryption.prepare(c.TLS)
	if err != nil {
		return answer, err
	}
	changed, needRestart := config.Diff(d.config, c)
	answer = api.Reloaded{
		Changed: changes(changed, d.config, c), NeedsRestart: changes(needRestart, d.config, c),
		Warnings: append([]string{}, c.Warnings()...),
	}
	d.runtime.Lock()
	d.config.Runtime = c.Runtime
	d.runtime.Unlock()
	note(d, d.config)
	if err := use(); err != nil { // before the mode: what it needs must be there
		answer.Certificates = err.Error()
	}
	d.setPeerMode()
	d.node.Limits().SetFile(fileLimits(d.config))
	d.accounts.SetConfig(accountsConfig(&c.Runtime))
	d.server.SetConfig(serverConfig(d.config, d.version))
	d.logs.setLevel(c.LogLevel)
	if err := d.hasher.SetCost(c.Auth.BcryptCost); err != nil {
		d.log.Error("bcrypt_cost", "error", err)
	}
	d.log.Info("configuration reloaded", "changed", changed, "needs_restart", needRestart)
	return answer, nil
}

// changes returns what each of the keys was and is; never nil, which JSON would not have as a list.
func changes(keys []string, old, new *config.Config) []api.Setting {
	all := []api.Setting{}
	for _, key := range keys {
		all = append(all, api.Setting{Key: key, Old: old.Value(key), New: new.Value(key)})
	}
	return all
}
