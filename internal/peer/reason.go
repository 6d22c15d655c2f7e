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

// errNoNode: what answers at an address does not speak the nodes' protocol.
var errNoNode = errors.New("what answers there is no ciderd node")

// The beginnings of refusals: the dialling side makes phrases of them.
const (
	refusalCluster = "this is no node of cluster "
	// oldRefusalCluster is that of the previous release, which tells every caller its cluster's name.
	oldRefusalCluster = "this is cluster "
	refusalNode       = "this is "
	// refusalCertificate is followed by what the caller's certificate is for.
	refusalCertificate = "the certificate is not that of the node that calls: "
	refusalMember      = "no node "
	// refusalOutside begins the last part of such a refusal: up to which log entry the server is not in the
	// cluster.
	refusalOutside = "; its server is not in the cluster as of entry "
)

// Outsider reports whether the node that refuses does not have this one in its file.
func (r *Refusal) Outsider() bool { return strings.HasPrefix(r.Reason, refusalMember) }

// OutsideAsOf returns up to which log index the refused server is not in the cluster; 0: not given.
func (r *Refusal) OutsideAsOf() uint64 {
	_, text, _ := strings.Cut(r.Reason, refusalOutside)
	index, err := strconv.ParseUint(text, 10, 64)
	if err != nil || !r.Outsider() {
		return 0
	}
	return index
}

// Reason returns why a node of that name did not answer at address, in a phrase for people. limit is how long it
// had.
func Reason(err error, self Identity, name, address string, limit time.Duration) string {
	var refused *Refusal
	var lookup *net.DNSError
	var certificate *CertificateError
	switch {
	case errors.As(err, &refused):
		return refused.reason(self, name, address)
	case errors.Is(err, errNotTLS):
		return "does not speak TLS: peer_tls is off there, or it runs an older release"
	case errors.As(err, &certificate):
		return "has a certificate that is not accepted here: " + certificate.Error()
	case isAlert(err):
		return "does not accept this node's certificate: " + err.Error()
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
	cluster, isOld := strings.CutPrefix(r.Reason, oldRefusalCluster)
	switch {
	case isOld:
		cluster, _, _ = strings.Cut(cluster, ", not ")
		return "belongs to cluster " + cluster
	case strings.HasPrefix(r.Reason, refusalCluster):
		return fmt.Sprintf("is a node of another cluster, not of %q", self.Cluster)
	case r.Outsider():
		return "does not know this node: " + r.Reason
	case r.Other != nil:
		return r.Reason
	case r.By == self.ServerID:
		return address + " is this node itself"
	case r.By != "" && NodeName(r.By) != name:
		return fmt.Sprintf("%s is %s of this cluster", address, NodeName(r.By))
	}
	return r.Reason
}

// disagree reports whether an error is that the two ends cannot agree on encryption.
func disagree(err error) bool {
	var certificate *CertificateError
	return errors.Is(err, errNotTLS) || errors.As(err, &certificate) || isAlert(err) || wantsTLS(err)
}

// isAlert reports whether an error is what the other end of a TLS connection has said before it closed that.
func isAlert(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error" // crypto/tls has no other mark for it
}
