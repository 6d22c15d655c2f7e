package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"syscall"

	"ciderd/internal/cluster"
)

// Client is the commands' half. Each call takes Timeout at most, and its error wraps
// cluster.ErrRefused if nothing was done.
type Client struct {
	path string
	node string
	http http.Client
}

// NewClient returns a client of the socket at path. node is the name of the node that must be behind
// it; empty: whichever is.
func NewClient(path, node string) *Client {
	c := &Client{path: path, node: node}
	c.http.Timeout = Timeout
	c.http.Transport = &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dial(ctx, path)
		},
	}
	return c
}

// Members lists the cluster's nodes. warning, if not empty, says why the list may be wrong.
func (c *Client) Members() (list []cluster.MemberStatus, warning string, err error) {
	r, err := c.call("GET", "/members", nil)
	return r.Members, r.Warning, err
}

// Change has one change made, and returns what was done.
// yes has it made even if no node may fail after it.
func (c *Client) Change(op, name string, yes bool) (said string, err error) {
	r, err := c.call("POST", "/change", changeRequest{Op: op, Name: name, Yes: yes})
	return r.Said, err
}

// AddUser makes an account, and returns what was done.
func (c *Client) AddUser(name string, password []byte) (said string, err error) {
	r, err := c.call("POST", "/users", userRequest{Name: name, Password: password})
	return r.Said, err
}

func (c *Client) call(method, path string, body any) (r reply, err error) {
	text, err := json.Marshal(body)
	if err != nil {
		return r, err
	}
	request, err := http.NewRequest(method, "http://ciderd"+path, bytes.NewReader(text))
	if err != nil {
		return r, err
	}
	if c.node != "" {
		request.Header.Set(nodeHeader, c.node)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return r, c.explain(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(io.LimitReader(response.Body, maxReply)).Decode(&r); err != nil {
		return r, fmt.Errorf("%s: the answer makes no sense (%s): %w", c.path, response.Status, err)
	}
	switch {
	case response.StatusCode == http.StatusConflict:
		return r, refusal{r.Error}
	case response.StatusCode != http.StatusOK:
		return r, errors.New(r.Error)
	}
	return r, nil
}

// refusal is a cluster.ErrRefused whose text comes from the server, which says so already.
type refusal struct{ text string }

func (e refusal) Error() string { return e.text }
func (e refusal) Unwrap() error { return cluster.ErrRefused }

func (c *Client) explain(err error) error {
	var timeout net.Error
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("no node is running here: nothing answers at %s", c.path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s is for the daemon's own user and root: try with sudo, or as that user", c.path)
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("no answer within %v; what was asked for may still be done", Timeout)
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return errors.New("the node ended before it had answered; what was asked for may have been done (see member list)")
	}
	return fmt.Errorf("%w; what was asked for may have been done (see member list)", err)
}
