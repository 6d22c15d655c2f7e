package api

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
	"time"
)

// Client is the commands' half. Each call takes Timeout at most.
type Client struct {
	path string
	node string
	http http.Client
	// Progress is told, about once a second, that a call goes on; nil: nobody is.
	Progress func(text string)
}

// NewClient returns a client of the socket at path. node is the name of the node that must be behind
// it; empty: any.
func NewClient(path, node string) *Client {
	c := &Client{path: path, node: node}
	c.http.Timeout = Timeout
	c.http.Transport = &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return Dial(ctx, path)
		},
	}
	return c
}

// Within has each call end after a time that is shorter than Timeout.
func (c *Client) Within(d time.Duration) { c.http.Timeout = min(d, Timeout) }

// Do makes the call. The error wraps ErrRefused, ErrNoLeader or ErrConfig if nothing was done.
func (k Call[Q, A]) Do(c *Client, q Q) (answer A, err error) {
	text, err := json.Marshal(q)
	if err != nil {
		return answer, err
	}
	if k.Method == http.MethodGet {
		text = nil
	}
	request, err := http.NewRequest(k.Method, "http://ciderd"+k.Path, bytes.NewReader(text))
	if err != nil {
		return answer, err
	}
	raw, err := c.do(request)
	if err != nil {
		return answer, err
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return answer, fmt.Errorf("%s: the answer makes no sense: %w", c.path, err)
	}
	return answer, nil
}

// do returns the answer to a request, undecoded.
func (c *Client) do(request *http.Request) (json.RawMessage, error) {
	if c.Progress != nil {
		request.Header.Set("Accept", Streamed)
	}
	response, err := c.send(&c.http, request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return c.answer(response)
}

// send returns the response to a request, to be closed.
func (c *Client) send(by *http.Client, request *http.Request) (*http.Response, error) {
	if c.node != "" {
		request.Header.Set(NodeHeader, c.node)
	}
	response, err := by.Do(request)
	if err != nil {
		return nil, c.explain(err)
	}
	return response, nil
}

// answer returns what a response says, behind any lines of progress.
func (c *Client) answer(response *http.Response) (json.RawMessage, error) {
	for lines := json.NewDecoder(io.LimitReader(response.Body, maxReply)); ; {
		var raw json.RawMessage
		var line Line
		if err := lines.Decode(&raw); err != nil {
			var late net.Error
			if errors.As(err, &late) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
				return nil, c.explain(err)
			}
			return nil, fmt.Errorf("%s: the answer makes no sense (%s): %w", c.path, response.Status, err)
		}
		if err := json.Unmarshal(raw, &line); err != nil {
			return nil, fmt.Errorf("%s: the answer makes no sense (%s): %w", c.path, response.Status, err)
		}
		if line.Progress != "" {
			if c.Progress != nil {
				c.Progress(line.Progress)
			}
			continue
		}
		status := response.StatusCode
		if line.Status != 0 {
			status = line.Status
		}
		switch status {
		case http.StatusOK:
			return raw, nil
		case http.StatusConflict:
			return nil, refusal{line.Error, ErrRefused}
		case http.StatusFailedDependency:
			return nil, refusal{line.Error, ErrNoLeader}
		case http.StatusUnprocessableEntity:
			return nil, refusal{line.Error, ErrConfig}
		}
		return nil, errors.New(line.Error)
	}
}

// refusal is an error of this package whose text comes from the server, which says so already.
type refusal struct {
	text string
	is   error
}

func (e refusal) Error() string { return e.text }
func (e refusal) Unwrap() error { return e.is }

func (c *Client) explain(err error) error {
	var timeout net.Error
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("no node is running here: nothing answers at %s", c.path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s is for root, the daemon's user and, under systemd, its group (ciderd): try with sudo, or as one of them", c.path)
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("no answer within %v; what was asked for may still be done", c.http.Timeout.Round(time.Millisecond))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return errors.New("the node ended before it had answered; the outcome is unknown (see ciderd member list)")
	}
	return fmt.Errorf("%w; the outcome is unknown (see ciderd member list)", err)
}
