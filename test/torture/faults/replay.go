package faults

import (
	"errors"
	"io"
	"net"
	"time"

	"ciderd/test/torture/judge"
	"ciderd/test/torture/rig"
)

// replay records what nodes send each other while one of them is restarted, so that every kind of
// connection is made anew, and sends all of it again, three times.
func replay(r *Round) error {
	n, err := r.target()
	if err != nil {
		return err
	}
	r.down(n)
	flows, err := r.recorded(func() error {
		if err := n.Kill(); err != nil {
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
func replayInstall(r *Round) error {
	n, err := r.follower()
	if err != nil {
		return err
	}
	r.down(n)
	if err := n.Kill(); err != nil {
		return err
	}
	if err := r.outrun(n); err != nil {
		return err
	}
	before := n.Disk.NewestSnapshot()
	flows, err := r.recorded(func() error { return r.back(n) })
	if err != nil {
		return err
	}
	if err := r.flows(n); err != nil {
		return err
	}
	r.Say("%s: snapshot %q, before it %q", n.Name, n.Disk.NewestSnapshot(), before)
	longest := 0
	for _, f := range flows {
		longest = max(longest, len(f.Data))
	}
	if longest < bigValue && !r.Combined {
		return errors.New("no snapshot was recorded")
	}
	return r.again(flows)
}

// recorded does something and gives what nodes sent each other meanwhile, and a little longer.
func (r *Round) recorded(do func() error) ([]*rig.Flow, error) {
	rec, err := rig.NewRecorder(r.Cluster.Nodes)
	if err != nil {
		return nil, err
	}
	err = do()
	if err == nil {
		err = r.Pass(2 * time.Second)
	}
	return rec.Close(), err
}

// again sends flows three times, each on a connection of its own. They begin with the greeting of
// their time, which is still good: that is what the replayer needs no secret for.
func (r *Round) again(flows []*rig.Flow) error {
	bytes, welcome := 0, 0
	for range 3 {
		for _, f := range flows {
			bytes += len(f.Data)
			if resend(f) {
				welcome++
			}
		}
	}
	r.Say("%d recorded connections sent again three times, %d KiB, %d of them welcome", len(flows), bytes>>10, welcome)
	switch encrypted := r.Cluster.Encrypted(); {
	case encrypted && welcome > 0:
		return judge.Violationf("%d recorded connections were welcome again, though they are encrypted", welcome)
	case !encrypted && welcome == 0 && !r.Combined:
		return errors.New("no recorded connection was welcome")
	}
	return r.flows()
}

// resend plays a flow to its end, reads what is answered, and tells whether its greeting was taken.
// An answer that is left unread would cut the connection before the other side has read all.
func resend(f *rig.Flow) (welcome bool) {
	conn, err := net.DialTimeout("tcp", f.To, 10*time.Second)
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
	if _, err := conn.Write(f.Data); err == nil {
		_ = conn.(*net.TCPConn).CloseWrite()
	}
	<-answered
	return first[0] == 1
}
