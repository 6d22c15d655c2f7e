package peer

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// Kind is what a connection is for.
type Kind byte

// The kinds of connections.
const (
	KindRaft    Kind = 'R' // hashicorp/raft's own transport
	KindForward Kind = 'F' // batches in flight to the leader
	KindQuery   Kind = 'Q' // questions and answers, see Client
	KindClaim   Kind = 'C' // says while it is open that its process is this server, see Claim
)

// Identity is the process at one end of a connection.
type Identity struct {
	Cluster  string
	Node     string // the name in the configuration
	ServerID string // name/short-id: which data directory of that name
	// Nonce is drawn by each process, and distinguishes it from one that runs on a copy of its directory. Empty:
	// the previous release.
	Nonce string
	// Incarnation is that of the batches that this process sends; 0: not given.
	Incarnation uint64
	// Release is what the process runs; empty: not given. It is only for people to read.
	Release string
}

const (
	// magic begins a hello; magicOld one of the previous release, which has nothing after the fields.
	magic        = "CIDERPEER\x02"
	magicOld     = "CIDERPEER\x01"
	helloTimeout = 5 * time.Second
	maxField     = 255 // bytes
)

// notOurs answers anything that is not a hello. The previous release answers the current hello with it.
const notOurs = "this is the port between ciderd nodes"

// errOld: the other side runs the previous release, and needs its hello.
var errOld = errors.New("a node of the release before")

// ErrRefused: the other side answers and refuses us; the message says why. It is a *Refusal.
var ErrRefused = errors.New("refused")

// Refusal says why the other side refuses us.
type Refusal struct {
	By     string // its server id; empty: not given
	Reason string
	// Other is another process that says it is us; nil: that is not the reason.
	Other *Other
}

// Other is a process that says it is the same server as another one.
type Other struct {
	Address string `json:",omitempty"` // where it was heard from
	Nonce   string `json:",omitempty"` // empty: the previous release
	Runs    bool   `json:",omitempty"` // it takes part; else it is starting, as we are
}

func (r *Refusal) Error() string {
	if r.By == "" {
		return fmt.Sprintf("%v: %s", ErrRefused, r.Reason)
	}
	return fmt.Sprintf("%v by %s: %s", ErrRefused, r.By, r.Reason)
}

// Is makes it an ErrRefused.
func (r *Refusal) Is(target error) bool { return target == ErrRefused }

// hello is what the dialing side sends; the answer is a byte (1: welcome) and the fields of reply.
type hello struct {
	kind Kind
	from Identity
	want string // the server id, or if unknown the name, that the caller wants to reach
	old  bool   // it is one of the previous release, and so must be the answer
	// runs is false while a process that claims its server has not begun to take part.
	runs bool
}

// helloMore and replyMore are the last field of each, in JSON: a release leaves out and skips what it does not
// know.
type helloMore struct {
	Nonce       string `json:",omitempty"`
	Incarnation uint64 `json:",omitempty"`
	Runs        bool   `json:",omitempty"`
	Release     string `json:",omitempty"`
}

type replyMore struct {
	Nonce   string `json:",omitempty"`
	Other   *Other `json:",omitempty"`
	Release string `json:",omitempty"`
}

// The fields are sent in one write each way: a length byte and that many bytes.
func appendField(dst []byte, s string) []byte {
	if len(s) > maxField {
		s = s[:maxField]
	}
	return append(append(dst, byte(len(s))), s...)
}

func readField(r *bufio.Reader) (string, error) {
	n, err := r.ReadByte()
	if err != nil {
		return "", err
	}
	b := make([]byte, n)
	_, err = io.ReadFull(r, b)
	return string(b), err
}

func readFields(r *bufio.Reader, into ...*string) error {
	for _, f := range into {
		s, err := readField(r)
		if err != nil {
			return err
		}
		*f = s
	}
	return nil
}

func appendJSON(dst []byte, v any) []byte {
	text, err := json.Marshal(v)
	if err != nil || len(text) > maxField { // such as a nonce in another format
		text = []byte("{}")
	}
	return appendField(dst, string(text))
}

// short keeps a release from taking the space of more important fields.
func short(release string) string { return release[:min(len(release), 40)] }

func readJSON(r *bufio.Reader, v any) error {
	text, err := readField(r)
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(text), v)
}

func (h *hello) encode() []byte {
	begin := magic
	if h.old {
		begin = magicOld
	}
	b := append([]byte(begin), byte(h.kind))
	for _, f := range []string{h.from.Cluster, h.from.Node, h.from.ServerID, h.want} {
		b = appendField(b, f)
	}
	if h.old {
		return b
	}
	return appendJSON(b, helloMore{h.from.Nonce, h.from.Incarnation, h.runs, short(h.from.Release)})
}

func readHello(r *bufio.Reader) (*hello, error) {
	var head [len(magic) + 1]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	begin := string(head[:len(magic)])
	if begin != magic && begin != magicOld {
		return nil, errors.New(notOurs)
	}
	h := &hello{kind: Kind(head[len(magic)]), old: begin == magicOld}
	err := readFields(r, &h.from.Cluster, &h.from.Node, &h.from.ServerID, &h.want)
	if err != nil || h.old {
		return h, err
	}
	var more helloMore
	err = readJSON(r, &more)
	h.from.Nonce, h.from.Incarnation, h.from.Release, h.runs = more.Nonce, more.Incarnation, more.Release, more.Runs
	return h, err
}

// encodeReply returns the answer to a hello; refusal nil: welcome. A refused caller learns no more than the refusal
// says.
func encodeReply(self Identity, refusal *Refusal, old bool) []byte {
	b, reason, more := []byte{1}, "", replyMore{Nonce: self.Nonce, Release: short(self.Release)}
	id, name := self.ServerID, self.Node
	if refusal != nil {
		b[0], reason, more.Other = 0, refusal.Reason, refusal.Other
		if id = refusal.By; id == "" {
			name, more.Nonce, more.Release = "", "", ""
		}
	}
	for _, f := range []string{name, id, reason} {
		b = appendField(b, f)
	}
	if old {
		return b
	}
	return appendJSON(b, more)
}

// readReply reads the answer to a hello; old: to one of the previous release.
func readReply(r *bufio.Reader, old bool) (remote Identity, err error) {
	ok, err := r.ReadByte()
	if err != nil {
		return remote, err
	}
	if ok > 1 {
		return remote, errNoNode
	}
	var reason string
	if err := readFields(r, &remote.Node, &remote.ServerID, &reason); err != nil {
		return remote, err
	}
	var more replyMore
	if !old {
		if ok == 0 && reason == notOurs {
			return remote, errOld
		}
		if err := readJSON(r, &more); err != nil {
			return remote, err
		}
	}
	remote.Nonce, remote.Release = more.Nonce, more.Release
	if ok == 0 {
		return remote, &Refusal{By: remote.ServerID, Reason: reason, Other: more.Other}
	}
	return remote, nil
}

// buffered is a connection whose first bytes may already be in a reader.
type buffered struct {
	net.Conn
	r *bufio.Reader
}

func (b *buffered) Read(p []byte) (int, error) { return b.r.Read(p) }
