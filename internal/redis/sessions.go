package redis

import (
	"sync"
	"time"

	"ciderd/internal/protocol/resp"
	"ciderd/internal/script"
	"ciderd/internal/session"
	"ciderd/internal/tally"
)

// Sessions is all clients of this protocol on a node. All methods may be called from any goroutine.
type Sessions struct {
	sessions *session.Sessions
	config   Config
	scripts  script.Cache
	started  time.Time

	mu    sync.Mutex // all below
	last  uint64     // id of a card
	cards map[uint64]*card
}

// New returns the sessions of a node, none yet.
func New(c Config, sessions *session.Sessions) *Sessions {
	return &Sessions{sessions: sessions, config: c, started: time.Now(), cards: map[uint64]*card{}}
}

// Addresses are the two ends of a connection, as host:port, and whether it is on the port that encrypts.
type Addresses struct {
	Remote, Local string
	TLS           bool
}

// Open returns a session that nobody is logged in to. It must be closed. Its commands are counted in a table of as many
// as Names has.
func (all *Sessions) Open(client session.Client, addresses Addresses, out resp.Sink, table *tally.Table) *Session {
	s := &Session{all: all, client: client, w: resp.NewWriter(out)}
	s.reply.s = s
	s.Session = all.sessions.Open(client, &s.reply, table)
	s.direct = s.Session.Direct()
	s.card = newCard(client, addresses)
	all.add(s.card)
	return s
}

func (all *Sessions) add(c *card) {
	all.mu.Lock()
	defer all.mu.Unlock()
	all.last++
	c.id = all.last
	all.cards[c.id] = c
}

func (all *Sessions) remove(c *card) {
	all.mu.Lock()
	defer all.mu.Unlock()
	delete(all.cards, c.id)
}

// of returns the cards of a user, in the order of their ids.
func (all *Sessions) of(user uint64) (cards []*card) {
	all.mu.Lock()
	defer all.mu.Unlock()
	for _, c := range all.cards {
		if c.user.Load() == user {
			cards = append(cards, c)
		}
	}
	sortCards(cards)
	return cards
}
