// Package certs owns the files of certificates: this process's own pairs, the authorities that it trusts, and the
// authority that `ciderd tls init` makes.
//
// It promises that a handshake begun after Reload gets what the files hold, that a pair that does not fit or has
// expired never replaces one that works, and that nothing of the machine's own roots is ever trusted. It never decides
// which connection must be encrypted, never accepts one, and never writes a key that others can read.
package certs
