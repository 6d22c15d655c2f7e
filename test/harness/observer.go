package harness

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
)

// The observer's account exists only to ask nodes for their STATUS, which is
// served after login only. ObserverPassword must never be found in a log.
const (
	observerName     = "harness-observer"
	ObserverPassword = "observers-secret-4711"
)

// observer keeps one logged-in connection to each node.
type observer struct {
	mu    sync.Mutex // protects conns
	conns map[*Node]*Client
}

// look gives the role and the term that the node itself states.
func (o *observer) look(n *Node) (role string, term int64, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	c, err := o.conn(n)
	if err != nil {
		return "", 0, err
	}
	status, err := c.Status()
	if err != nil {
		_ = c.Close()
		delete(o.conns, n)
		return "", 0, fmt.Errorf("%s: STATUS: %w", n.Name, err)
	}
	term, err = strconv.ParseInt(status["term"], 10, 64)
	if err != nil {
		return "", 0, fmt.Errorf("%s: STATUS: term: %w", n.Name, err)
	}
	return status["role"], term, nil
}

func (o *observer) conn(n *Node) (*Client, error) {
	if c := o.conns[n]; c != nil {
		return c, nil
	}
	c, err := n.Dial()
	if err != nil {
		return nil, err
	}
	if err := EnsureUser(c, observerName, ObserverPassword); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("%s: %w", n.Name, err)
	}
	if o.conns == nil {
		o.conns = make(map[*Node]*Client)
	}
	o.conns[n] = c
	return c, nil
}

func (o *observer) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range o.conns {
		_ = c.Close()
	}
}

// EnsureUser logs in, signing the user up first where it does not exist. An
// error may be of the moment: the account may be on its way to this node.
func EnsureUser(c *Client, user, password string) error {
	err := c.Login(user, password)
	var refused *ReplyError
	if !errors.As(err, &refused) || refused.Code != "AUTH_FAILED" {
		return err
	}
	return c.Signup(user, password)
}
