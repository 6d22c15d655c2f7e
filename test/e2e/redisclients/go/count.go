package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/redis/go-redis/v9"
)

func options() *redis.Options {
	return &redis.Options{Addr: address, Username: os.Getenv("REDIS_USER"), Password: os.Getenv("REDIS_PASSWORD")}
}

// count counts with go-redis until the input ends.
func count() {
	o := options()
	o.MaxRetries, o.ReadTimeout = -1, time.Minute // whatever goes wrong is to be seen
	r := redis.NewClient(o)
	over := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(over)
	}()
	for own, last := int64(1), int64(0); ; own++ {
		select {
		case <-over:
			return
		default:
		}
		n, err := r.Incr(ctx, prefix+"own").Result()
		check(n, err, own)
		n, err = r.Incr(ctx, os.Getenv("SHARED")).Result()
		check(n > last, err, true)
		last = n
		fmt.Println(own)
	}
}

// once counts once, as the library does it by itself.
func once(id bool) {
	r := redis.NewClient(options())
	var n any
	var err error
	if id {
		n, err = r.Do(ctx, "CIDERD.ONCE", prefix+"id", "INCR", prefix+"n").Result()
	} else {
		n, err = r.Incr(ctx, prefix+"n").Result()
	}
	if err != nil {
		fmt.Println("error", err)
		return
	}
	fmt.Println("reply", n)
}
