package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	// DebugPath is where the archive for a ticket is, and DebugVerb what the log calls it.
	DebugPath = "/debug"
	DebugVerb = "debug"
	// DebugTimeout is how long making and sending it may take.
	DebugTimeout = time.Minute
	// maxArchive is far more than one takes, in bytes.
	maxArchive = 256 << 20
)

// Debug writes the archive for a ticket. After an error what was written is of no use.
func (c *Client) Debug(to io.Writer) error {
	ctx, cancel := context.WithTimeout(context.Background(), DebugTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://ciderd"+DebugPath, nil)
	if err != nil {
		return err
	}
	if c.node != "" {
		request.Header.Set(NodeHeader, c.node)
	}
	slow := http.Client{Transport: c.http.Transport}
	response, err := slow.Do(request)
	if err != nil {
		return c.explain(err)
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
		return c.copyArchive(to, response.Body)
	case http.StatusNotFound:
		return fmt.Errorf("the node at %s runs a release that cannot do this", c.path)
	}
	var said Line
	if err := json.NewDecoder(io.LimitReader(response.Body, MaxBody)).Decode(&said); err != nil || said.Error == "" {
		return fmt.Errorf("%s: the answer makes no sense (%s)", c.path, response.Status)
	}
	return errors.New(said.Error)
}

func (c *Client) copyArchive(to io.Writer, from io.Reader) error {
	n, err := io.Copy(to, io.LimitReader(from, maxArchive))
	switch {
	case err != nil:
		return fmt.Errorf("the archive is not whole: %w; the node's log may say why", err)
	case n == maxArchive:
		return fmt.Errorf("the archive is larger than %d bytes", maxArchive)
	}
	return nil
}
