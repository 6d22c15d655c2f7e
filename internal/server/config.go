package server

import (
	"net/netip"
	"time"

	"ciderd/internal/protocol"
	"ciderd/internal/redis"
	"ciderd/internal/session"
)

// When the password is hidden while it is typed.
const (
	HideNever  = "never"
	HideTelnet = "telnet" // from clients that have sent a telnet command themselves
	HideAlways = "always"
)

// Config is what a server can be told, also while it runs (SetConfig). Open connections keep the newline they began
// with; everything else takes effect with the next command.
type Config struct {
	MaxValue       int           // bytes; 0: protocol.DefaultValue
	MaxConnections int           // 0: no limit
	MaxPerUser     int           // sessions of one user; 0: no limit
	MaxPerAddress  int           // of one client address (IPv6: of one /64); 0: no limit
	IdleTimeout    time.Duration // without a byte from a session that is logged in; 0: never
	LoginTimeout   time.Duration // from the banner to the login, however busy the client; 0: a minute
	WriteTimeout   time.Duration // until a write or a SYNC is answered TIMEOUT; 0: five seconds
	// StallTimeout is how long a client may take nothing of its replies before it is disconnected; it may take up
	// to half as long again. Meanwhile the session reads nothing. 0: half a minute.
	StallTimeout time.Duration
	// MaxOutput is how many bytes of replies sessions may hold together while their clients take nothing; the
	// largest are disconnected. 0: 64 MiB.
	MaxOutput int64
	// ProxyFrom is the addresses of proxies. A connection from one of them must begin with a header of the PROXY
	// protocol, version 2, before TLS too, and counts for the client address that this names.
	ProxyFrom    []netip.Prefix
	HidePassword string       // HideNever, HideTelnet or HideAlways; empty: HideNever
	CRLF         bool         // lines end in CR LF instead of LF
	Version      string       // of ciderd, for VERSION and STATUS
	Redis        redis.Config // as it is when the server is made
}

func (c Config) withDefaults() *Config {
	setDefault(&c.MaxValue, protocol.DefaultValue)
	setDefault(&c.LoginTimeout, time.Minute)
	setDefault(&c.WriteTimeout, 5*time.Second)
	setDefault(&c.StallTimeout, 30*time.Second)
	setDefault(&c.MaxOutput, 64<<20)
	setDefault(&c.HidePassword, HideNever)
	setDefault(&c.Version, "unknown")
	return &c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// sessions returns the part of it that sessions need.
func (c Config) sessions() session.Config {
	return session.Config{MaxValue: c.MaxValue, MaxPerUser: c.MaxPerUser, LoginTimeout: c.LoginTimeout, WriteTimeout: c.WriteTimeout, IdleTimeout: c.IdleTimeout, Version: c.Version}
}
