package main

import "net"

// connectTo is what nc and telnet want to be given for a listening address.
func connectTo(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	if host == "" {
		host = "localhost"
	}
	return host + " " + port
}
