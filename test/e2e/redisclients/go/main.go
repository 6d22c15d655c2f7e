// What programs in Go do with go-redis and rueidis.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"
)

var (
	ctx     = context.Background()
	prefix  = os.Getenv("PREFIX")
	address = net.JoinHostPort(os.Getenv("REDIS_HOST"), os.Getenv("REDIS_PORT"))
)

const release = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end"

func main() {
	switch os.Args[1] {
	case "go-redis":
		for _, protocol := range []int{2, 3} {
			goRedis(protocol)
		}
	case "rueidis":
		theOther()
	case "count":
		count()
	case "once":
		once(false)
	case "id":
		once(true)
	}
	fmt.Println("ok")
}

func encryption() *tls.Config {
	file := os.Getenv("REDIS_CA")
	if file == "" {
		return nil
	}
	text, err := os.ReadFile(file)
	must(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	return &tls.Config{RootCAs: roots, ServerName: os.Getenv("REDIS_HOST")}
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check[T comparable](got T, err error, want T) {
	must(err)
	if got != want {
		must(fmt.Errorf("%v, want %v", got, want))
	}
}

func goRedis(protocol int) {
	r := redis.NewClient(&redis.Options{
		Addr: address, Username: os.Getenv("REDIS_USER"), Password: os.Getenv("REDIS_PASSWORD"), Protocol: protocol, TLSConfig: encryption(),
	})
	p := fmt.Sprint(prefix, protocol, ":")
	must(r.Set(ctx, p+"page", "<html>", 100*time.Second).Err())
	got, err := r.Get(ctx, p+"page").Result()
	check(got, err, "<html>")
	if err := r.Get(ctx, p+"none").Err(); err != redis.Nil {
		must(fmt.Errorf("a missing key: %v", err))
	}
	locked, err := r.SetNX(ctx, p+"lock", "token", 10*time.Second).Result()
	check(locked, err, true)
	locked, err = r.SetNX(ctx, p+"lock", "other", 10*time.Second).Result()
	check(locked, err, false)
	n, err := redis.NewScript(release).Run(ctx, r, []string{p + "lock"}, "token").Int()
	check(n, err, 1)
	replies, err := r.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i := range 10000 {
			pipe.Set(ctx, fmt.Sprint(p, "item:", i), i, 0)
		}
		return nil
	})
	check(len(replies), err, 10000)
	seen := map[string]bool{}
	keys := r.Scan(ctx, 0, p+"item:*", 1000).Iterator()
	for keys.Next(ctx) {
		seen[keys.Val()] = true
	}
	check(len(seen), keys.Err(), 10000)
	err = r.Watch(ctx, func(tx *redis.Tx) error {
		n, err := tx.Get(ctx, p+"item:7").Int()
		if err != nil {
			return err
		}
		if err := r.Set(ctx, p+"item:7", "other", 0).Err(); err != nil {
			return err
		}
		_, err = tx.TxPipelined(ctx, func(pipe redis.Pipeliner) error { return pipe.Set(ctx, p+"item:7", n+1, 0).Err() })
		return err
	}, p+"item:7")
	if !errors.Is(err, redis.TxFailedErr) {
		must(fmt.Errorf("a change of what is watched: %v", err))
	}
	must(r.Close())
}

func theOther() {
	r, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{address}, Username: os.Getenv("REDIS_USER"), Password: os.Getenv("REDIS_PASSWORD"),
		DisableCache: true, TLSConfig: encryption(),
	})
	must(err)
	defer r.Close()
	must(r.Do(ctx, r.B().Set().Key(prefix+"page").Value("<html>").ExSeconds(100).Build()).Error())
	got, err := r.Do(ctx, r.B().Get().Key(prefix+"page").Build()).ToString()
	check(got, err, "<html>")
	n, err := r.Do(ctx, r.B().Incr().Key(prefix+"n").Build()).AsInt64()
	check(n, err, 1)
	must(r.Do(ctx, r.B().Set().Key(prefix+"lock").Value("token").Nx().PxMilliseconds(10000).Build()).Error())
	n, err = rueidis.NewLuaScript(release).Exec(ctx, r, []string{prefix + "lock"}, []string{"token"}).AsInt64()
	check(n, err, 1)
	var sets rueidis.Commands
	for i := range 10000 {
		sets = append(sets, r.B().Set().Key(fmt.Sprint(prefix, "item:", i)).Value(fmt.Sprint(i)).Build())
	}
	for _, reply := range r.DoMulti(ctx, sets...) {
		must(reply.Error())
	}
	seen := map[string]bool{}
	for cursor, first := uint64(0), true; first || cursor != 0; first = false {
		page, err := r.Do(ctx, r.B().Scan().Cursor(cursor).Match(prefix+"item:*").Count(1000).Build()).AsScanEntry()
		must(err)
		for _, key := range page.Elements {
			seen[key] = true
		}
		cursor = page.Cursor
	}
	check(len(seen), nil, 10000)
}
