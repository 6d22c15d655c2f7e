package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Refusal is the error of a node that is there and does not want us. It wraps ErrRefused.
type Refusal struct {
	By   Identity // without its cluster, which it has not proved
	Text string
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("%v by %s: %s", ErrRefused, r.By.ServerID, r.Text)
}

// Unwrap makes it an ErrRefused.
func (r *Refusal) Unwrap() error { return ErrRefused }

// errNoNode: what answers at an address does not speak as nodes do.
var errNoNode = errors.New("what answers there is no ciderd node")

// What refusals begin with: the dialling side makes phrases of them.
const (
	refusalCluster = "this is cluster "
	refusalNode    = "this is "
	refusalMember  = "no node "
	// refusalOutside begins the end of one of those: up to which entry of the log the server is none of the cluster's.
	refusalOutside = "; its server is not in the cluster as of entry "
)

// Outsider tells whether the node that refuses does not have this one in its file.
func (r *Refusal) Outsider() bool { return strings.HasPrefix(r.Text, refusalMember) }

// OutsideAsOf is up to where in its log the server that was refused is none of the cluster's; 0: it does not say.
func (r *Refusal) OutsideAsOf() uint64 {
	_, text, _ := strings.Cut(r.Text, refusalOutside)
	index, err := strconv.ParseUint(text, 10, 64)
	if err != nil || !r.Outsider() {
		return 0
	}
	return index
}

// Reason is why a node of that name did not answer at address, in a phrase for people. limit is how long
// it had to.
func Reason(err error, self Identity, name, address string, limit time.Duration) string {
	var refused *Refusal
	var lookup *net.DNSError
	switch {
	case errors.As(err, &refused):
		return refused.reason(self, name, address)
	case errors.As(err, &lookup) && lookup.IsNotFound:
		return "no such host: " + lookup.Name
	case errors.As(err, &lookup):
		return "its name " + lookup.Name + " does not resolve"
	case errors.Is(err, errNoNode):
		return "does not speak ciderd's protocol (is that its text port?)"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		return "no answer in " + fmt.Sprintf("%g s", limit.Seconds())
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return "closes the connection without an answer"
	}
	for _, plain := range []syscall.Errno{syscall.ECONNREFUSED, syscall.EHOSTUNREACH, syscall.ENETUNREACH} {
		if errors.Is(err, plain) {
			return plain.Error()
		}
	}
	return err.Error()
}

func (r *Refusal) reason(self Identity, name, address string) string {
	cluster, isCluster := strings.CutPrefix(r.Text, refusalCluster)
	switch {
	case isCluster:
		cluster, _, _ = strings.Cut(cluster, ", not ")
		return "belongs to cluster " + cluster
	case r.Outsider():
		return "does not know this node: " + r.Text
	case r.By.ServerID == self.ServerID:
		return address + " is this node itself"
	case r.By.Node != "" && r.By.Node != name:
		return fmt.Sprintf("%s is %s of this cluster", address, r.By.Node)
	}
	return r.Text
}
