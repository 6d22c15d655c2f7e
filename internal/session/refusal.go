package session

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"ciderd/internal/accounts"
	"ciderd/internal/fsm"
	"ciderd/internal/pipeline"
	"ciderd/internal/protocol"
)

// What ends a session from outside, in words.
const (
	Ended        = "the password was changed, or the account was locked or removed; log in again"
	Draining     = "this node is draining; connect to another"
	ShuttingDown = "this node is shutting down; connect to another node, or try again later"
)

const (
	authRequired    = "LOGIN or SIGNUP first"
	alreadyLoggedIn = "you are logged in; LOGOUT first"
	loading         = "this node is catching up; nothing was done; try another node, or try again soon"
	restoring       = "this user is being restored from a backup; nothing was done; try again soon"
	wrongPassword   = "unknown user or wrong password"
	loginsWait      = "too many logins are waiting here; nothing was done; try again later"
)

// ErrHungUp ends the wait of a session for a client that is gone.
var ErrHungUp = errors.New("the client has reset its connection")

// InWords is a duration without what is zero: 30m, not 30m0s.
func InWords(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// result answers one write.
func (a *answers) result(r fsm.Result) {
	switch r.Kind {
	case fsm.KindOK:
		a.Word(protocol.OK)
	case fsm.KindInt:
		a.Int(r.N)
	case fsm.KindExists:
		a.Word(protocol.Exists)
	case fsm.KindNotFound:
		a.Word(protocol.NotFound)
	case fsm.KindConflict:
		a.Conflict(uint64(r.N))
	default:
		a.refusal(r.Kind)
	}
}

// refusal answers a write that the cluster has refused: it changed nothing.
func (a *answers) refusal(k fsm.Kind) {
	switch k {
	case fsm.KindNotANumber:
		a.Error(protocol.NotANumber, "the value is not a 64-bit integer as INCR prints it")
	case fsm.KindOverflow:
		a.Error(protocol.Overflow, "the result would not fit into 64 bits")
	case fsm.KindValueTooLarge:
		a.Error(protocol.ValueTooLarge, "the value would be over the limit of "+strconv.Itoa(a.all.config.Load().MaxValue)+" bytes")
	case fsm.KindMemoryFull:
		a.Error(protocol.MemoryFull, "the cluster's disks are nearly full; nothing can be stored until there is space; deletions still work")
	case fsm.KindAtLimit:
		a.Error(protocol.MemoryFull, "the cluster's limit on memory is reached; nothing was stored; deletions still work")
	case fsm.KindQuota:
		a.Error(protocol.Quota, "your quota does not allow that (STATS shows it); nothing was stored; deletions still work")
	case fsm.KindOnceFull:
		a.Error(protocol.Quota, "too many ONCE ids in the last ten minutes; nothing was done; try again later")
	case fsm.KindSignupFull:
		a.Error(protocol.Quota, "this cluster has reached its limit of "+strconv.FormatInt(a.all.accounts.MaxUsers(), 10)+" users (limits.max_users)")
	case fsm.KindUserExists:
		a.Error(protocol.UserExists, "that user name is taken; choose another one, or LOGIN")
	case fsm.KindAuthFailed:
		a.Error(protocol.AuthFailed, wrongPassword)
	case fsm.KindSessionEnded:
		a.finish(protocol.SessionEnded, Ended)
	case fsm.KindBusy:
		a.Error(protocol.Busy, "too much work on large values at once; nothing was done; try again later")
	case fsm.KindUnread: // this node had heard of no server that does not know it
		a.Error(protocol.UnknownCommand, "the cluster is being upgraded and not every node knows this command yet; nothing was done; try again after the upgrade")
	default:
		a.Error(protocol.Internal, "the command was not run")
	}
}

// unwritten answers a write that has no result.
func (a *answers) unwritten(err error) {
	switch {
	case errors.Is(err, pipeline.ErrBusy):
		a.Error(protocol.Busy, "too many writes are waiting here; nothing was done; try again later")
	case errors.Is(err, pipeline.ErrNoLeader):
		a.Error(protocol.NoLeader, "no leader could be reached in time; nothing was written; it is safe to send this again")
	case errors.Is(err, pipeline.ErrShutdown):
		a.finish(protocol.ShuttingDown, "nothing was done: "+ShuttingDown)
	case errors.Is(err, pipeline.ErrTimeout):
		a.Error(protocol.Timeout, "no answer within "+InWords(a.all.config.Load().WriteTimeout)+"; the outcome is unknown (with ONCE a write can safely be sent again)")
	default:
		a.all.log.Error("a write failed", "error", err)
		a.Error(protocol.Internal, "internal error; the outcome is unknown; see this node's log")
	}
}

// account answers an error of package accounts. It reports whether what the client gave is wrong.
func (a *answers) account(err error, loggedIn bool) (wrong bool) {
	var refusal accounts.Refusal
	var unwritten *accounts.WriteError
	switch {
	case errors.As(err, &refusal):
		a.refusal(refusal.Kind)
		return true
	case errors.As(err, &unwritten):
		a.unwritten(unwritten.Err)
	case errors.Is(err, accounts.ErrRestoring):
		a.Error(protocol.Loading, restoring)
	case errors.Is(err, accounts.ErrLoading):
		a.Error(protocol.Loading, loading)
	case errors.Is(err, accounts.ErrGone):
		a.finish(protocol.SessionEnded, Ended)
	case errors.Is(err, ErrHungUp):
		a.over = true
	case errors.Is(err, context.Canceled):
		a.finish(protocol.ShuttingDown, ShuttingDown)
	case errors.Is(err, context.DeadlineExceeded) && !loggedIn:
		a.finish(protocol.LoginTimeout, LateLogin(a.all.config.Load().LoginTimeout))
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, accounts.ErrBusy):
		a.Error(protocol.Busy, loginsWait)
	default:
		return a.credentials(err)
	}
	return false
}

// credentials answers an error about a name or a password.
func (a *answers) credentials(err error) (wrong bool) {
	switch {
	case errors.Is(err, accounts.ErrClosed):
		a.Error(protocol.SignupClosed, "signup is closed; only an administrator can add users")
	case errors.Is(err, accounts.ErrBadUsername):
		a.Error(protocol.BadUsername, "a user name is 1 to 64 of A-Z a-z 0-9 . _ - @")
	case errors.Is(err, accounts.ErrUnfitPassword):
		a.Error(protocol.BadPassword, "a password must not begin or end with a blank, or contain a line end or Ctrl-C: not every client could send it")
	case errors.Is(err, accounts.ErrBadPassword):
		a.Error(protocol.BadPassword, "a password is 1 to 72 bytes")
	case errors.Is(err, accounts.ErrWrongPassword):
		a.Error(protocol.AuthFailed, wrongPassword)
	default:
		a.all.log.Error("a password could not be checked", "error", err)
		a.Error(protocol.Internal, "the password could not be checked; nothing was done; see this node's log")
		return false
	}
	return true
}

// LateLogin says that there was no login in time.
func LateLogin(limit time.Duration) string {
	return "no login in " + InWords(limit) + "; connect again"
}
