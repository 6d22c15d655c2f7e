package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"ciderd/internal/bench"
)

var quiet = zap.NewNop()

// etcd is a Driver for etcd, with its own client. A GET is answered by the node that is asked, as it is by ciderd.
type etcd struct {
	timeout  time.Duration // of a PUT, after which its client asks again; 0: as long as it takes
	contents bench.Contents
}

func (d *etcd) Prepare(c *bench.Contents) { d.contents = *c }

func (d *etcd) Connect(_ context.Context, address string) (bench.Conn, error) {
	client, err := etcdClient(address)
	if err != nil {
		return nil, err
	}
	c := &etcdConn{driver: d, client: client}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c, nil
}

type etcdConn struct {
	driver *etcd
	client *clientv3.Client
	ctx    context.Context
	cancel context.CancelFunc
	mu     sync.Mutex
	timer  *time.Timer
}

func (c *etcdConn) Do(b *bench.Burst, answered func(from, to int)) error {
	for i, r := range b.Requests {
		key := bench.KeyName(c.driver.contents.Prefix, int(r.Key))
		var err error
		switch r.Operation {
		case bench.Set:
			if err = c.put(key); err == nil {
				b.Outcomes[i] = bench.Done
			}
		case bench.Get:
			var r *clientv3.GetResponse
			if r, err = c.client.Get(c.ctx, key, clientv3.WithSerializable()); err == nil {
				b.Outcomes[i] = map[bool]bench.Outcome{true: bench.Found, false: bench.Missed}[r.Count > 0]
			}
		default:
			return fmt.Errorf("etcd is not asked for %s", r.Operation)
		}
		if c.ctx.Err() != nil {
			return io.EOF
		}
		if err != nil {
			b.Outcomes[i] = bench.Failed
			b.Errors = append(b.Errors, strings.TrimPrefix(err.Error(), "etcdserver: "))
			time.Sleep(time.Millisecond) // it refuses at once while it has no leader
		}
		answered(i, i+1)
	}
	return nil
}

func (c *etcdConn) put(key string) error {
	ctx := c.ctx
	if c.driver.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.driver.timeout)
		defer cancel()
	}
	_, err := c.client.Put(ctx, key, string(c.driver.contents.Value[:c.driver.contents.Sizes.Max]))
	return err
}

func (c *etcdConn) Interrupt(after time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer != nil {
		c.timer.Stop()
	}
	c.timer = time.AfterFunc(after, c.cancel)
}

func (c *etcdConn) Close() {
	c.cancel()
	_ = c.client.Close()
}
