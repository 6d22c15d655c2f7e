//go:build !linux

package admin

import "net"

// callerOf is not known where SO_PEERCRED is not.
func callerOf(net.Conn) string { return unknownCaller }
