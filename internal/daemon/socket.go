package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"ciderd/internal/admin"
	"ciderd/internal/auth"
	"ciderd/internal/cluster"
	"ciderd/internal/fsm"
)

// openSocket opens the operators' way in. It comes after the node, whose lock on the data directory
// is what makes a socket that is left in there nobody's.
func (d *Daemon) openSocket() (err error) {
	d.socket, err = admin.Open(admin.SocketPath(d.config.DataDir), d.config.NodeName, operatedNode{d.node, d}, d.log.Named("admin"))
	return err
}

// operatedNode is the node as the admin socket wants it.
type operatedNode struct {
	*cluster.Node
	daemon *Daemon
}

// AddUser makes an account, also where auth.signup is "closed": this is how users are added then.
func (n operatedNode) AddUser(ctx context.Context, name string, password []byte) error {
	password = bytes.Trim(password, " \t") // as clients give it
	if err := errors.Join(auth.ValidUser(name), auth.ValidNewPassword(password)); err != nil {
		return fmt.Errorf("%w: %w", cluster.ErrRefused, err)
	}
	if !n.Ready() {
		return fmt.Errorf("%w: this node is catching up; try again, or on another node", cluster.ErrRefused)
	}
	hash, err := n.daemon.hasher.Hash(ctx, "admin socket", password)
	if err != nil {
		return err
	}
	// max_users counts for whoever makes the account.
	config := n.daemon.runtime.Load()
	results, err := n.addUser(fsm.NewUser(name, hash, int64(config.Limits.MaxUsers), n.Reads), config.Timeouts.Write)
	switch {
	case errors.Is(err, cluster.ErrTimeout):
		return fmt.Errorf("it is not known whether the user was added: %w", err)
	case err != nil:
		return fmt.Errorf("%w: %w; the user was not added", cluster.ErrRefused, err)
	case len(results) != 1:
		return errors.New("it is not known whether the user was added: no result")
	}
	return userAdded(results[0].Kind, name)
}

// addUser does it the old way if the leader knows of a server that does not read the new one.
func (n operatedNode) addUser(command fsm.Command, timeout time.Duration) ([]fsm.Result, error) {
	results, err := n.Propose(fsm.NewGroup(command), timeout).Wait()
	if err == nil && len(results) == 1 && results[0].Kind == fsm.KindUnread {
		command.Op = fsm.OpSignup
		return n.Propose(fsm.NewGroup(command), timeout).Wait()
	}
	return results, err
}

func userAdded(k fsm.Kind, name string) error {
	switch k {
	case fsm.KindUser:
		return nil
	case fsm.KindUserExists:
		return fmt.Errorf("%w: there is a user %s already", cluster.ErrRefused, name)
	case fsm.KindSignupFull:
		return fmt.Errorf("%w: there are limits.max_users users already", cluster.ErrRefused)
	case fsm.KindMemoryFull:
		return fmt.Errorf("%w: the cluster has no room", cluster.ErrRefused)
	}
	return fmt.Errorf("it is not known whether the user was added: result %d", k)
}
