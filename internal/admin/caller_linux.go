package admin

import (
	"net"
	"strconv"
	"syscall"
)

// callerOf returns the uid of the process that has made a connection, as it was then.
func callerOf(conn net.Conn) string {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return unknownCaller
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return unknownCaller
	}
	uid := unknownCaller
	_ = raw.Control(func(fd uintptr) {
		if who, err := syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED); err == nil {
			uid = strconv.FormatUint(uint64(who.Uid), 10)
		}
	})
	return uid
}
