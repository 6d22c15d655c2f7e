package torture

import (
	"errors"
	"io"
	"net"
	"time"
)

// replay records what nodes send each other while one of them is restarted, so that every kind of
// connection is made anew, and sends all of it again, three times.
func replay(r *round) error {
	n, err := r.target()
	if err != nil {
		return err
	}
	r.down(n)
	flows, err := r.recorded(func() error {
		if err := n.kill(); err != nil {
			return err
		}
		return r.back(n)
	})
	if err != nil {
		return err
	}
	return r.again(flows)
}

// replayInstall does so with the connections over which a follower is sent a snapshot; in the same
// term still, as far as nobody is elected meanwhile. The follower has gone on since then.
func replayInstall(r *round) error {
	n, err := r.follower()
	if err != nil {
		return err
	}
	r.down(n)
	if err := n.kill(); err != nil {
		return err
	}
	if err := r.outrun(n); err != nil {
		return err
	}
	before := n.newestSnapshot()
	flows, err := r.recorded(func() error { return r.back(n) })
	if err != nil {
		return err
	}
	if err := r.flows(n); err != nil {
		return err
	}
	r.say("%s: snapshot %q, before it %q", n.name, n.newestSnapshot(), before)
	longest := 0
	for _, f := range flows {
		longest = max(longest, len(f.data))
	}
	if longest < bigValue && !r.combined {
		return errors.New("no snapshot was recorded")
	}
	return r.again(flows)
}

// recorded does something and gives what nodes sent each other meanwhile, and a little longer.
func (r *round) recorded(do func() error) ([]*flow, error) {
	rec, err := newRecorder(r.cluster.nodes)
	if err != nil {
		return nil, err
	}
	err = do()
	if err == nil {
		err = r.pass(2 * time.Second)
	}
	return rec.close(), err
}

// again sends flows three times, each on a connection of its own. They begin with the greeting of
// their time, which is still good: that is what the replayer needs no secret for.
func (r *round) again(flows []*flow) error {
	bytes, welcome := 0, 0
	for range 3 {
		for _, f := range flows {
			bytes += len(f.data)
			if resend(f) {
				welcome++
			}
		}
	}
	r.say("%d recorded connections sent again three times, %d KiB, %d of them welcome", len(flows), bytes>>10, welcome)
	if welcome == 0 && !r.combined {
		return errors.New("no recorded connection was welcome")
	}
	return r.flows()
}

// resend plays a flow to its end, reads what is answered, and tells whether its greeting was taken.
// An answer that is left unread would cut the connection before the other side has read all.
func resend(f *flow) (welcome bool) {
	conn, err := net.DialTimeout("tcp", f.to, 10*time.Second)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	first := make([]byte, 1)
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		if _, err := io.ReadFull(conn, first); err == nil {
			_, _ = io.Copy(io.Discard, conn)
		}
	}()
	if _, err := conn.Write(f.data); err == nil {
		_ = conn.(*net.TCPConn).CloseWrite()
	}
	<-answered
	return first[0] == 1
}
