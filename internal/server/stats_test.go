package server

import (
	"strings"
	"testing"
)

func TestStats(t *testing.T) {
	w := start(t, Config{MaxConnections: 2})
	c, idle := w.user("u"), w.dial()
	idle.expect("LOGIN or SIGNUP")
	w.dial().talk("!TOO_MANY_CONNECTIONS\n.")
	c.talk("> SET k v\nOK\n> GET k\nv\n> GET none\nNOT_FOUND")
	until(t, "the session rests", func() bool { return w.server.Stats().Sessions.Misses == 1 })
	s := w.server.Stats()
	if s.Connections != 2 || s.Accepted != 2 || s.Refused != 1 || s.Incoming != 0 || s.Unread != 0 ||
		s.Sessions.Open != 2 || s.Sessions.LoggedIn != 1 || s.Sessions.Hits != 1 || s.Sessions.Writes != 1 {
		t.Errorf("%+v", s)
	}
	c.send("SET k " + strings.Repeat("v", 100_000))
	until(t, "a long line is counted", func() bool { return w.server.Stats().Incoming > 0 })
	c.talk("> \nOK")
	c.send(strings.Repeat("GET k\n", 1000))
	until(t, "what is not read is counted", func() bool { return w.server.Stats().Unread > 0 })
}
