package redis

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"ciderd/internal/session"
)

// card is what others may know of a session: the other sessions of its user. Any goroutine may read it; its own session
// writes it, when it rests at the latest.
type card struct {
	id        uint64
	client    session.Client
	addresses Addresses
	since     time.Time

	user     atomic.Uint64 // 0: nobody
	name     atomic.Pointer[string]
	protocol atomic.Int32
	rested   atomic.Int64 // when it rested last, in Unix seconds
}

func newCard(client session.Client, addresses Addresses) *card {
	c := &card{client: client, addresses: addresses, since: time.Now()}
	c.protocol.Store(2)
	c.rename("")
	c.rest()
	return c
}

func (c *card) rest() { c.rested.Store(time.Now().Unix()) }

func (c *card) rename(name string) { c.name.Store(&name) }

// line is the card as CLIENT LIST has it. What is not known here of another session is 0, as is what this server does
// not have.
func (c *card) line(command, user string, multi int) string {
	now := time.Now()
	return fmt.Sprintf("id=%d addr=%s laddr=%s fd=0 name=%s age=%d idle=%d flags=%s db=0 sub=0 psub=0 ssub=0 multi=%d "+
		"qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem=0 events=r cmd=%s user=%s redir=-1 resp=%d",
		c.id, c.addresses.Remote, c.addresses.Local, *c.name.Load(), int64(now.Sub(c.since)/time.Second),
		max(now.Unix()-c.rested.Load(), 0), flagsOf(multi), multi, command, user, c.protocol.Load())
}

func flagsOf(multi int) string {
	if multi >= 0 {
		return "x"
	}
	return "N"
}

func sortCards(cards []*card) {
	slices.SortFunc(cards, func(a, b *card) int { return cmp.Compare(a.id, b.id) })
}

// isName reports whether a connection may have that name.
func isName(name []byte) bool {
	return bytes.IndexFunc(name, func(r rune) bool { return r < '!' || '~' < r }) < 0
}

// cText is what of a client's word an error repeats.
func cText(word []byte) string {
	word, _, _ = bytes.Cut(word, []byte{0})
	return strings.NewReplacer("\r", " ", "\n", " ").Replace(string(word[:min(len(word), 128)]))
}
