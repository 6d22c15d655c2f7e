// Package peer owns the connections between nodes: where a node is to be found, and one port for all of
// them, where each connection first proves which cluster and which node it is from and says what it is for.
//
// It promises that no byte of an unproven connection reaches Raft, that no length that comes from
// the net is believed before it is capped, that what has begun to come in has a bound of memory and an end, that
// strangers keep nobody from being heard, and that of two processes that say they are one node the one that was
// heard first is believed while it lives (claims.go). It never looks into
// what it carries. Traffic is not encrypted and names are not secrets: whoever can reach the port and knows a server's
// id can pass for it while it does not run, which is why the configuration refuses such ports unless it is told not to.
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
	KindForward Kind = 'F' // batches on their way to the leader
	KindQuery   Kind = 'Q' // questions and answers, see Client
	KindClaim   Kind = 'C' // says for as long as it is open that its process is this server, see Claim
)

// Identity is who stands at one end of a connection.
type Identity struct {
	Cluster  string
	Node     string // the name in the configuration
	ServerID string // name/short-id: which data directory of that name
	// Nonce is drawn by each process, and tells it from one that runs on a copy of its directory. Empty: of the
	// release before.
	Nonce string
	// Incarnation is that of the batches that come from there; 0: not said.
	Incarnation uint64
	// Release is what the process runs; empty: not said. It is for people, and decides nothing.
	Release string
}

const (
	// magic begins a hello; magicOld one of the release before, which has nothing behind the fields.
	magic        = "CIDERPEER\x02"
	magicOld     = "CIDERPEER\x01"
	helloTimeout = 5 * time.Second
	maxField     = 255 // bytes
)

// notOurs is how anything that is no hello is answered. The release before answers the present hello so.
const notOurs = "this is the port between ciderd nodes"

// errOld: the other side is of the release before, and wants its hello.
var errOld = errors.New("a node of the release before")

// ErrRefused: the other side is there and does not want us; the message says why. It is a *Refusal.
var ErrRefused = errors.New("refused")

// Refusal is why the other side does not want us.
type Refusal struct {
	By     string // its server id; empty: it does not say that
	Reason string
	// Other is where another process is that says it is us; nil: that is not the reason.
	Other *Other
}

// Other is a process that says it is a server that another says it is as well.
type Other struct {
	Address string `json:",omitempty"` // that it was heard from
	Nonce   string `json:",omitempty"` // empty: it is of the release before
	Runs    bool   `json:",omitempty"` // it takes part; else it is starting, and asks as we do
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
	want string // the server id, or if that is not known the name, that the caller means to reach
	old  bool   // it is one of the release before, and the answer must be
	// runs is false while a process that claims its server has yet to begin.
	runs bool
}

// helloMore and replyMore are the last field of each, in JSON: what a release does not know it leaves out, and
// passes over.
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

// The fields go out in one write each way: a length byte and that many bytes.
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
	if err != nil || len(text) > maxField { // a nonce that is not ours, say
		text = []byte("{}")
	}
	return appendField(dst, string(text))
}

// short keeps a release from taking the room of what is needed.
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

// encodeReply is the answer to a hello; refusal nil: welcome. Whoever is refused learns no more than the refusal
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

// readReply reads the answer to a hello; old: to one of the release before.
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
