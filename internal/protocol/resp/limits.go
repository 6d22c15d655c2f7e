package resp

// The limits of Redis itself, which no setting changes.
const (
	maxInline   = 64 << 10  // bytes of an inline request, and of the line of a length
	maxCount    = 1<<31 - 1 // arguments
	maxAnyBulk  = 512 << 20 // bytes of an argument, before login
	leastLimit  = 64        // bytes: no limit on a request is lower, so that the line of a count is always within it
	bulkFraming = len("\r\n")
)

// What a request may be before login, as in Redis.
const (
	loginArgs = 10
	loginBulk = 16 << 10
)

// MaxArgs is how many arguments a request may have after login, its command counted.
const MaxArgs = 16384

// MaxTransaction is how many bytes of writes become one entry of the log at most.
const MaxTransaction = 4 << 20

// requestFraming is what the lengths of MaxArgs arguments take, in bytes.
const requestFraming = 256 << 10

// Limits bounds one request.
type Limits struct {
	// LoggedIn tells how a length over a limit is named: before login "unauthenticated", then "invalid".
	LoggedIn bool
	Args     int // arguments; one more is a protocol error
	Bulk     int // bytes of an argument; a longer one is a protocol error
	Request  int // bytes as they were sent, lengths included; a longer request is skipped. At least 64.
}

// LoginLimits are what holds before login: 10 arguments of at most 16 KiB.
func LoginLimits() Limits {
	return Limits{Args: loginArgs, Bulk: loginBulk, Request: loginArgs * (loginBulk + 32)}
}

// SessionLimits are what holds after login, where a value has at most maxValue bytes: 16,384 arguments, and 4 MiB in
// all, not counting what the lengths take.
func SessionLimits(maxValue int) Limits {
	return Limits{LoggedIn: true, Args: MaxArgs, Bulk: maxValue, Request: MaxTransaction + requestFraming}
}

// count returns what is wrong with a request of n arguments; "" if nothing is.
func (l *Limits) count(n int64) fault {
	switch {
	case n <= int64(l.Args):
		return ""
	case !l.LoggedIn && n <= maxCount:
		return unauthenticatedCount
	}
	return invalidCount
}

// bulk returns what is wrong with an argument of n bytes.
func (l *Limits) bulk(n int64) fault {
	switch {
	case 0 <= n && n <= int64(l.Bulk):
		return ""
	case 0 <= n && !l.LoggedIn && n <= maxAnyBulk:
		return unauthenticatedBulk
	}
	return invalidBulk
}

// fault is what makes a stream unreadable, in Redis' words.
type fault string

const (
	invalidCount         fault = "invalid multibulk length"
	invalidBulk          fault = "invalid bulk length"
	unauthenticatedCount fault = "unauthenticated multibulk length"
	unauthenticatedBulk  fault = "unauthenticated bulk length"
	longInline           fault = "too big inline request"
	longCount            fault = "too big mbulk count string"
	longBulk             fault = "too big bulk count string"
	unbalanced           fault = "unbalanced quotes in request"
)

// expectedBulk is the fault of an argument that begins with c.
func expectedBulk(c byte) fault { return fault("expected '$', got '" + string([]byte{c}) + "'") }
