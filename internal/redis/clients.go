package redis

import (
	"strings"

	"ciderd/internal/protocol/resp"
)

func clientHandlers() map[string]handler {
	return map[string]handler{
		"client|id":       {run: clientID},
		"client|getname":  {run: clientGetName},
		"client|setname":  {run: clientSetName},
		"client|setinfo":  {run: clientSetInfo},
		"client|info":     {run: clientInfo},
		"client|list":     {run: clientList},
		"client|kill":     {run: clientKill},
		"client|no-evict": {run: clientSwitch},
		"client|no-touch": {run: clientSwitch},
		"client|reply":    {run: clientReply},
	}
}

func clientID(s *Session, _ *resp.Command, _ [][]byte) { s.w.Int(int64(s.card.id)) }

func clientGetName(s *Session, _ *resp.Command, _ [][]byte) {
	if name := *s.card.name.Load(); name != "" {
		s.w.BulkString(name)
		return
	}
	s.w.Null()
}

func clientSetName(s *Session, _ *resp.Command, args [][]byte) {
	if !isName(args[2]) {
		s.w.Error(string(errClientName))
		return
	}
	s.card.rename(string(args[2]))
	s.w.OK()
}

// clientSetInfo checks what a client says of its library, which nobody asks for.
func clientSetInfo(s *Session, _ *resp.Command, args [][]byte) {
	option := "lib-name"
	switch {
	case is(args[2], "lib-ver"):
		option = "lib-ver"
	case !is(args[2], "lib-name"):
		s.w.Error("ERR Unrecognized option '" + cText(args[2]) + "'")
		return
	}
	if !isName(args[3]) {
		s.w.Error("ERR " + option + " cannot contain spaces, newlines or special characters.")
		return
	}
	s.w.OK()
}

// own is the session's own line.
func (s *Session) own(command string) string {
	multi := -1
	if s.queue != nil {
		multi = len(s.queue.commands)
	}
	return s.card.line(command, s.direct.Who(), multi)
}

func clientInfo(s *Session, _ *resp.Command, _ [][]byte) {
	s.w.Verbatim("txt", s.own("client|info")+"\n")
}

// clientList lists the connections of the session's user, or those of the ids.
func clientList(s *Session, _ *resp.Command, args [][]byte) {
	wanted, err := listFilter(args[2:])
	if err != nil {
		s.w.Error(err.Error())
		return
	}
	var b strings.Builder
	for _, c := range s.all.of(s.User()) {
		switch {
		case !wanted(c.id):
			continue
		case c == s.card:
			b.WriteString(s.own("client|list"))
		default:
			b.WriteString(c.line("NULL", s.direct.Who(), -1))
		}
		b.WriteByte('\n')
	}
	s.w.Verbatim("txt", b.String())
}

// listFilter returns which ids CLIENT LIST is asked for.
func listFilter(args [][]byte) (wanted func(id uint64) bool, err error) {
	every := func(uint64) bool { return true }
	switch {
	case len(args) == 0:
		return every, nil
	case len(args) == 2 && is(args[0], "type"):
		switch kind := args[1]; {
		case is(kind, "normal"):
			return every, nil
		case is(kind, "master"), is(kind, "replica"), is(kind, "slave"), is(kind, "pubsub"):
			return func(uint64) bool { return false }, nil
		default:
			return nil, resp.Error("ERR Unknown client type '" + cText(kind) + "'")
		}
	case len(args) > 1 && is(args[0], "id"):
		ids := map[uint64]bool{}
		for _, arg := range args[1:] {
			id, ok := resp.ParseInt(arg)
			if !ok {
				return nil, errClientID
			}
			ids[uint64(id)] = true
		}
		return func(id uint64) bool { return ids[id] }, nil
	}
	return nil, resp.ErrSyntax
}

// kill is a request of CLIENT KILL.
type kill struct {
	id            int64 // 0: any
	remote, local []byte
	self          bool // also the session that asks
}

func (k *kill) means(c *card) bool {
	return (k.id == 0 || uint64(k.id) == c.id) && (k.remote == nil || string(k.remote) == c.addresses.Remote) &&
		(k.local == nil || string(k.local) == c.addresses.Local)
}

func parseKill(args [][]byte) (k kill, err error) {
	if len(args) == 1 {
		return kill{remote: args[0], self: true}, nil
	}
	if len(args)%2 != 0 {
		return k, resp.ErrSyntax
	}
	for i := 0; i < len(args); i += 2 {
		switch word, v := args[i], args[i+1]; {
		case is(word, "id"):
			var ok bool
			if k.id, ok = resp.ParseInt(v); !ok || k.id < 1 {
				return k, errKillID
			}
		case is(word, "addr"):
			k.remote = v
		case is(word, "laddr"):
			k.local = v
		case is(word, "skipme") && (is(v, "yes") || is(v, "no")):
			k.self = is(v, "no")
		default:
			return k, resp.ErrSyntax
		}
	}
	return k, nil
}

// clientKill ends connections of the session's user.
func clientKill(s *Session, _ *resp.Command, args [][]byte) {
	k, err := parseKill(args[2:])
	if err != nil {
		s.w.Error(err.Error())
		return
	}
	n := 0
	for _, c := range s.all.of(s.User()) {
		if k.means(c) && (k.self || c != s.card) {
			c.client.End()
			n++
		}
	}
	switch {
	case len(args) > 3:
		s.w.Int(int64(n))
	case n == 0:
		s.w.Error(string(errNoClient))
	default:
		s.w.OK()
	}
}

// clientSwitch takes what would change nothing here.
func clientSwitch(s *Session, _ *resp.Command, args [][]byte) {
	if !is(args[2], "on") && !is(args[2], "off") {
		s.w.Error(string(resp.ErrSyntax))
		return
	}
	s.w.OK()
}

func clientReply(s *Session, _ *resp.Command, args [][]byte) {
	switch mode := args[2]; {
	case is(mode, "on"):
		s.replies.off = false
		s.w.Drop(false)
		s.w.OK()
	case is(mode, "off"):
		s.replies.off = true
		s.w.Drop(true)
	case is(mode, "skip"):
		s.replies.skip = !s.replies.off
	default:
		s.w.Error(string(resp.ErrSyntax))
	}
}
