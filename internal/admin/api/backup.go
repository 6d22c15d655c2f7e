package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
)

// The two streams. What goes through them takes as long as it takes: only a stream that stands still is ended.
const (
	// SavePath is read: the backup, as archive writes it, or an error as of a Call.
	SavePath = "/backup"
	// RestorePath is written to: a backup. The answer is a Restored. Its query is a RestoreRequest.
	RestorePath = "/restore"
)

// NoteBackup has the cluster remember that a backup was made on the node that is asked.
var NoteBackup = Call[BackupNote, Done]{"POST", "/backup/done", "backup done"}

type (
	// BackupNote is what a backup's file says of itself.
	BackupNote struct {
		Time int64 // in Unix milliseconds of the cluster's clock
	}
	// RestoreRequest says what of a file is restored.
	RestoreRequest struct {
		User    string // empty: all
		Replace bool   // also users that have items here
		Partial bool   // also if not all of it fits
		// Check: nothing is changed, and the answer is what would be.
		Check bool
	}
	// Restored is what a restore has done, or would do.
	Restored struct {
		Cluster  string // to which the node belongs that is asked
		Contents Contents
		// Replaces is how many users have items here, which go.
		Replaces int
		Expired  int64 // items whose deadline has passed, which are left out
		Skipped  int64 // items and ids of ONCE that did not fit
		// Misfits say what does not fit, and are not all of them if there are many.
		Misfits []string `json:",omitempty"`
	}
	// Contents is what there is in a backup, or the part of it that is restored.
	Contents struct {
		Cluster, Node, Release string // where it is from
		Time                   int64  // Unix milliseconds
		Users, Items           int64
		Replies                int64 // ids of ONCE
		Bytes                  int64 // of keys and values
	}
)

// Query returns the request as RestorePath takes it.
func (q RestoreRequest) Query() url.Values {
	v := url.Values{}
	if q.User != "" {
		v.Set("user", q.User)
	}
	for name, on := range map[string]bool{"replace": q.Replace, "partial": q.Partial, "check": q.Check} {
		if on {
			v.Set(name, "true")
		}
	}
	return v
}

// ParseRestore is the inverse of Query. It is an error if there is anything else.
func ParseRestore(v url.Values) (q RestoreRequest, err error) {
	flags := map[string]*bool{"replace": &q.Replace, "partial": &q.Partial, "check": &q.Check}
	for name, values := range v {
		on := flags[name]
		switch {
		case len(values) != 1:
			return q, fmt.Errorf("%s stands there %d times", name, len(values))
		case name == "user":
			q.User = values[0]
		case on == nil:
			return q, fmt.Errorf("nothing is called %q", name)
		default:
			if *on, err = strconv.ParseBool(values[0]); err != nil {
				return q, err
			}
		}
	}
	return q, nil
}

// Facts returns what is restored.
func (q RestoreRequest) Facts() iter.Seq2[string, string] {
	yes := func(on bool) string {
		if on {
			return "yes"
		}
		return ""
	}
	return facts("user", q.User, "replace", yes(q.Replace), "partial", yes(q.Partial))
}

// Save returns the backup that the node writes, to be closed. The error of a node that is asked wraps as that of a Call.
func (c *Client) Save() (io.ReadCloser, error) {
	request, err := http.NewRequest(http.MethodGet, "http://ciderd"+SavePath, nil)
	if err != nil {
		return nil, err
	}
	response, err := c.send(c.streams(), request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		defer response.Body.Close()
		_, err = c.answer(response)
		return nil, err
	}
	return stream{response.Body, c}, nil
}

// Restore hands a backup to the node. The error wraps as that of a Call; the answer is what was done in any case.
func (c *Client) Restore(file io.Reader, q RestoreRequest) (done Restored, err error) {
	request, err := http.NewRequest(http.MethodPost, "http://ciderd"+RestorePath+"?"+q.Query().Encode(), io.NopCloser(file))
	if err != nil {
		return done, err
	}
	response, err := c.send(c.streams(), request)
	if err != nil {
		return done, err
	}
	defer response.Body.Close()
	raw, err := c.answer(response)
	if err == nil {
		err = json.Unmarshal(raw, &done)
	}
	return done, err
}

// streams is the client without a bound on the time that a call takes.
func (c *Client) streams() *http.Client { return &http.Client{Transport: c.http.Transport} }

// stream is a body whose errors are explained.
type stream struct {
	io.ReadCloser
	client *Client
}

func (s stream) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = errors.New("the node has not written all of it: " + s.client.explain(err).Error())
	}
	return n, err
}
