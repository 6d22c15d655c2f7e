package daemon

import (
	"context"
	"errors"
	"fmt"

	"ciderd/internal/admin/api"
	"ciderd/internal/cluster"
)

// operators is the daemon as the admin socket asks it.
type operators struct{ d *Daemon }

// reload is Daemon.Reload; its error wraps api.ErrConfig.
func (o operators) reload(context.Context) (api.Reloaded, error) {
	answer, err := o.d.Reload()
	if err != nil {
		return answer, wrongConfig{err}
	}
	return answer, nil
}

// wrongConfig is an api.ErrConfig in the words of what is wrong.
type wrongConfig struct{ error }

func (e wrongConfig) Is(target error) bool { return target == api.ErrConfig }
func (e wrongConfig) Unwrap() error        { return e.error }

// sync returns once this node has applied all that anybody had been told OK for when it was called.
func (o operators) sync(ctx context.Context) (said string, err error) {
	name := o.d.config.NodeName
	switch err := o.d.node.Sync(ctx); {
	case errors.Is(err, cluster.ErrNoLeader):
		return "", fmt.Errorf("%w answers %s", api.ErrNoLeader, name)
	case err != nil:
		return "", fmt.Errorf("%s has not caught up: %w", name, err)
	}
	return fmt.Sprintf("%s has applied all that was acknowledged, up to entry %d", name, o.d.node.FSM().Applied()), nil
}
