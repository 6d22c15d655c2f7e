//go:build e2e

package measure

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"ciderd/internal/bench"
	"ciderd/test/harness"
)

const releaseLock = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end"

// TestMeasureRedis tells, with MEASURE=1, how fast the port for clients of Redis is: beside the text port, and beside
// redis-server, without a disk, and syncing each write as we do. All are asked in turns.
func TestMeasureRedis(t *testing.T) {
	times(t, "KILLS", 0) // skips without MEASURE
	config := "limits { max_connections_per_address = 0 }\nauth { bcrypt_cost = 4 }"
	one := harness.Start(t, harness.Options{Redis: true, Config: config})
	three := harness.Start(t, harness.Options{Nodes: 3, Redis: true, Config: config})
	follower := three.Followers(three.Leader())[0]
	harness.MakeUser(t, one.Nodes[0], "speed")
	harness.MakeUser(t, follower, "speed")
	resp := func(name, address string) spoken {
		return spoken{name: name, address: address, dialect: bench.RESP{User: "speed", Password: harness.Password}, redis: true}
	}
	text := func(name, address string) spoken {
		return spoken{name: name, address: address, dialect: bench.Text{User: "speed", Password: harness.Password}}
	}
	all := []spoken{
		resp("RESP", one.Nodes[0].Redis), text("text", one.Nodes[0].Text),
		resp("RESP, three", follower.Redis), text("text, three", follower.Text),
		startRedis(t, one.Dir, "redis"), startRedis(t, one.Dir, "redis, always", "--appendonly", "yes", "--appendfsync", "always"),
	}
	for i := range all {
		all[i].fill(t)
	}
	for _, load := range []struct{ conns, pipe int }{{1, 1}, {50, 1}, {20, 64}} {
		gets, sets, locks := map[string][]float64{}, map[string][]float64{}, map[string][]float64{}
		for range speedRounds {
			for _, s := range all {
				gets[s.name] = append(gets[s.name], s.rate(t, load.conns, load.pipe, "get"))
				sets[s.name] = append(sets[s.name], s.rate(t, load.conns, load.pipe, "set"))
				if s.redis && load.pipe == 1 {
					locks[s.name] = append(locks[s.name], s.asks(t, load.conns, func(key int) string {
						lock := "l" + strconv.Itoa(key)
						return harness.RESP("SET", lock, "token") + harness.RESP("EVAL", releaseLock, "1", lock, "token")
					}, 2))
				}
			}
		}
		for _, s := range all {
			line := fmt.Sprintf("%-13s %2d x %2d: GET %8.0f/s (%.2f of redis), SET %8.0f/s (%.2f of text, %.2f of redis, always)", s.name, load.conns, load.pipe,
				median(gets[s.name]), median(gets[s.name])/median(gets["redis"]), median(sets[s.name]),
				median(sets[s.name])/median(sets[map[bool]string{true: "text, three", false: "text"}[strings.HasSuffix(s.name, "three")]]),
				median(sets[s.name])/median(sets["redis, always"]))
			if l := locks[s.name]; len(l) > 0 {
				set := 1 / median(sets[s.name])
				line += fmt.Sprintf(", a lock's release takes %.2f SETs", (1/median(l)-set)/set)
			}
			t.Log(line)
		}
	}
	for _, s := range all[:2] { // in a process that has no memory left over from what was before
		n := one.Nodes[0]
		n.Kill()
		n.Start()
		n.WaitServing()
		t.Logf("%s: an idle connection that has logged in takes %.1f KiB", s.name, idle(t, n, &s)/1024)
	}
}

// startRedis starts redis-server.
func startRedis(t *testing.T, dir, name string, args ...string) spoken {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip(err)
	}
	data := filepath.Join(dir, strings.ReplaceAll(name, ", ", "-"))
	if err := os.Mkdir(data, 0o777); err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(harness.FreePort(t))
	p, err := harness.StartProcess(path, data, filepath.Join(dir, name+".log"), nil, append([]string{"--port", port, "--save", ""}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Signal(os.Kill) })
	s := spoken{name: name, address: "127.0.0.1:" + port, dialect: bench.RESP{}, redis: true}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if conn, err := s.dial(); err == nil {
			_ = conn.Close()
			return s
		}
	}
	t.Fatalf("%s does not start", name)
	return s
}
