// Package peer owns the connections between nodes: where a node is to be found, and one port for all of
// them, where each connection first proves which cluster and which node it is from and says what it is for.
//
// It promises that no byte of an unproven connection reaches Raft, that no length that comes from
// the net is believed before it is capped, and that every wait has an end. It never looks into
// what it carries. Traffic is not encrypted and names are not secrets: whoever can reach the port
// can pass for a node, which is why the configuration refuses such ports unless it is told not to.
package peer

import (
	"bufio"
	"errors"
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
)

// Identity is who stands at one end of a connection.
type Identity struct {
	Cluster  string
	Node     string // the name in the configuration
	ServerID string // name/short-id: which data directory of that name
}

const (
	magic        = "CIDERPEER\x01"
	helloTimeout = 5 * time.Second
	maxField     = 255 // bytes
)

// ErrRefused: the other side is there and does not want us; the message says why.
var ErrRefused = errors.New("refused")

// hello is what the dialing side sends; the answer is a byte (1: welcome) and the fields of reply.
type hello struct {
	kind Kind
	from Identity
	want string // the server id, or if that is not known the name, that the caller means to reach
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

func (h *hello) encode() []byte {
	b := append([]byte(magic), byte(h.kind))
	for _, f := range []string{h.from.Cluster, h.from.Node, h.from.ServerID, h.want} {
		b = appendField(b, f)
	}
	return b
}

func readHello(r *bufio.Reader) (*hello, error) {
	var head [len(magic) + 1]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	if string(head[:len(magic)]) != magic {
		return nil, errors.New("this is the port between ciderd nodes")
	}
	h := &hello{kind: Kind(head[len(magic)])}
	err := readFields(r, &h.from.Cluster, &h.from.Node, &h.from.ServerID, &h.want)
	return h, err
}

func encodeReply(self Identity, refusal string) []byte {
	b := []byte{1}
	if refusal != "" {
		b[0] = 0
	}
	for _, f := range []string{self.Node, self.ServerID, refusal} {
		b = appendField(b, f)
	}
	return b
}

func readReply(r *bufio.Reader) (remote Identity, err error) {
	ok, err := r.ReadByte()
	if err != nil {
		return remote, err
	}
	if ok > 1 {
		return remote, errNoNode
	}
	var refusal string
	if err := readFields(r, &remote.Node, &remote.ServerID, &refusal); err != nil {
		return remote, err
	}
	if ok != 1 {
		return remote, &Refusal{remote, refusal}
	}
	return remote, nil
}

// buffered is a connection whose first bytes may already be in a reader.
type buffered struct {
	net.Conn
	r *bufio.Reader
}

func (b *buffered) Read(p []byte) (int, error) { return b.r.Read(p) }
