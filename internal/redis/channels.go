package redis

import (
	"fmt"
	"slices"

	"ciderd/internal/protocol/resp"
)

// Clients in Sentinel mode subscribe to the channels on which a Sentinel tells of changes. One of them is used: that this
// node stops, and which one to go to. There are no other channels.

// switchMaster is the channel that says so.
const switchMaster = "+switch-master"

var sentinelChannels = []string{
	switchMaster, "+sentinel", "+slave", "+sdown", "-sdown", "+reboot", "+replica-reconf-done",
}

func channelHandlers() map[string]handler {
	return map[string]handler{
		"subscribe":   {run: subscribe},
		"psubscribe":  {run: subscribe},
		"unsubscribe": {run: unsubscribe},
	}
}

// subscriptions are channels and patterns, in the order in which they were named.
type subscriptions struct{ channels, patterns []string }

func (u *subscriptions) count() int { return len(u.channels) + len(u.patterns) }

func subscribe(s *Session, c *resp.Command, args [][]byte) {
	u, known := &s.subscriptions.channels, isChannel
	if c.Name == "psubscribe" {
		u, known = &s.subscriptions.patterns, matchesChannel
	}
	for _, name := range args[1:] {
		if !known(name) {
			s.refuse(resp.UnknownCommand(args))
			return
		}
	}
	if u == &s.subscriptions.patterns && len(*u)+len(args)-1 > maxPatterns {
		s.w.Error(string(errPatterns))
		return
	}
	for _, name := range args[1:] {
		if !slices.Contains(*u, string(name)) {
			*u = append(*u, string(name))
		}
		confirm(s, c.Name, name)
	}
}

func isChannel(name []byte) bool { return slices.Contains(sentinelChannels, string(name)) }

func matchesChannel(pattern []byte) bool {
	p := resp.CompilePattern(pattern)
	return len(pattern) <= maxPattern && slices.ContainsFunc(sentinelChannels, func(name string) bool { return p.Match([]byte(name)) })
}

const (
	maxPattern  = 64 // bytes of a pattern of a PSUBSCRIBE
	maxPatterns = 64 // of a connection
)

func unsubscribe(s *Session, c *resp.Command, args [][]byte) {
	names := args[1:]
	if len(names) == 0 {
		for _, name := range s.subscriptions.channels {
			names = append(names, []byte(name))
		}
	}
	if len(names) == 0 {
		confirm(s, c.Name, nil)
		return
	}
	for _, name := range names {
		s.subscriptions.channels = slices.DeleteFunc(s.subscriptions.channels, func(have string) bool { return have == string(name) })
		confirm(s, c.Name, name)
	}
}

// confirm answers one name of a subscription; nil: there was none.
func confirm(s *Session, command string, name []byte) {
	push(s, 3, func(w *resp.Writer) {
		w.BulkString(command)
		if name == nil {
			w.Null()
		} else {
			w.Bulk(name)
		}
		w.Int(int64(s.subscriptions.count()))
	})
}

// push sends a message of n parts. It is no reply, and so it comes where CLIENT REPLY has turned these off.
func push(s *Session, n int, parts func(w *resp.Writer)) {
	dropping := s.w.Drop(false)
	s.w.Push(n)
	parts(&s.w)
	s.w.Drop(dropping)
}

// subscribed are the commands of RESP2 for a connection that has subscribed: its replies could not be told from messages.
var subscribed = []string{"subscribe", "psubscribe", "unsubscribe", "ping", "quit", "reset"}

// forbids returns why a connection that has subscribed may not do a command; nil: it may.
func (u *subscriptions) forbids(c *resp.Command, protocol int) error {
	if u.count() == 0 || protocol == 3 || slices.Contains(subscribed, c.Name) {
		return nil
	}
	return resp.Error("ERR Can't execute '" + c.Name + "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context")
}

// Leave tells a client that has subscribed to that which node to go to, as this one stops. It is called between requests,
// before the connection is closed.
func (s *Session) Leave() {
	seen := s.nodes()
	here, next := seen.here(), seen.elsewhere()
	if s.subscriptions.count() == 0 || here == next {
		return
	}
	tls := s.card.addresses.TLS
	message := fmt.Sprintf("%s %s %d %s %d", s.all.config.Cluster, here.Host, here.port(tls), next.Host, next.port(tls))
	for _, pattern := range s.subscriptions.patterns {
		if p := resp.CompilePattern([]byte(pattern)); p.Match([]byte(switchMaster)) {
			tellChannel(s, "pmessage", pattern, switchMaster, message)
		}
	}
	if slices.Contains(s.subscriptions.channels, switchMaster) {
		tellChannel(s, "message", switchMaster, message)
	}
}

func tellChannel(s *Session, words ...string) {
	push(s, len(words), func(w *resp.Writer) {
		for _, word := range words {
			w.BulkString(word)
		}
	})
}
