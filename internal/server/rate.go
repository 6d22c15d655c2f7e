package server

import "time"

// minimumRate bounds how slowly a line may arrive: otherwise a client that sends a byte now and then would hold a
// buffer for as long as it likes.
//
// Before login a line that has begun has a third of the login timeout (20 s) to be complete. Each byte of it adds a
// second, up to the 20 s again. So a person may type a character a second, and may pause for up to 20 s in the
// middle of a password; a program that sends a byte every four seconds is out of time after half a minute. After
// login only a long line has a minimum rate, one that takes more memory than every client may have: it has half a
// minute, and each 8 KiB of it add a second, up to the half minute again. A line that is sent as a whole, as nc and
// telnet do, never meets this; nor does a session in which no line has begun.
//
// Only the time spent waiting for the client counts.
type minimumRate struct {
	on   bool          // a line with a minimum rate has begun
	left time.Duration // that the client has for the next bytes of it
	came int           // bytes since left was counted
	by   time.Time     // when that time ends, while waiting for the client
}

const (
	loginShare = 3 // before login a line has at most LoginTimeout divided by this, and a second for each byte
	longTime   = 30 * time.Second
	longRate   = 8 << 10 // bytes for each second
)

// keepRate notes how much of a line has arrived, before the wait for more.
func (c *client) keepRate(now time.Time) {
	most, rate := longTime, longRate
	loggedIn := c.session.User() != 0
	if !loggedIn {
		most, rate = c.server.config.Load().LoginTimeout/loginShare, 1
	}
	r := &c.rate
	switch {
	case !c.in.Partial(), loggedIn && c.in.Size() <= readerBurst:
		*r = minimumRate{}
		return
	case !r.on:
		r.on, r.left = true, most
	default:
		r.left = min(most, r.left+time.Duration(r.came)*time.Second/time.Duration(rate))
	}
	r.came, r.by = 0, now.Add(r.left)
}

// paused stops the client's time, as something has arrived.
func (r *minimumRate) paused() {
	if r.on {
		r.left = max(0, time.Until(r.by))
		r.by = time.Time{}
	}
}

// ended notes the end of the line.
func (r *minimumRate) ended() {
	if r.on {
		*r = minimumRate{}
	}
}
