package cli

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/term"

	"ciderd/internal/bench"
)

// Bench is the verb that makes load and measures it. interruptible returns a context that ends when somebody has had
// enough.
func Bench(interruptible func() (context.Context, context.CancelFunc)) Verb {
	return Verb{
		Name: "bench", Args: "-user NAME [FLAGS]", Summary: "make load, and measure how it is answered", Group: OfTheProgram, Facts: true,
		Flags: []Flag{
			{"addr", "A,B"}, {"redis", ""}, {"tls", ""}, {"ca", "FILE"}, {"user", "NAME"}, {"conns", "N"}, {"pipe", "N"}, {"mix", "M"}, {"keys", "N"},
			{"zipf", "S"}, {"size", "N"}, {"ttl", "D"}, {"for", "D"}, {"ops", "N"}, {"warm", "D"}, {"rate", "N"}, {"prefix", "P"}, {"keep", ""},
		},
		Text: `It stores keys bench:0000000000 and on, asks for them, tells how that was
answered, and removes them. Ctrl-C ends it early. The password is asked for, or
is the first line of standard input.

  -addr A,B    where to, by turns (localhost:8080, or that of the port below)
  -redis       speak Redis' protocol; -tls: encrypt; -ca FILE: whom to trust
  -conns N     connections (50); -pipe N: requests sent at once on each (1)
  -mix M       of get, set, setex, incr, del, has by weight (get=9,set=1)
  -keys N      how many (100000); -zipf S: not all alike, but by a Zipf
               distribution of this exponent, like 0.99
  -size N      bytes of a value (32), or N-M; -ttl D: of those of setex (1m)
  -for D       how long (10s), or -ops N: that many; -warm D before (1s)
  -rate N      so many a second, each timed from when it was due
  -prefix P    of the keys (bench:); -keep: they may be there, and stay
Exit codes: 0 done, 1 refused, or errors were among the answers, 64 usage.`,
		Run: func(c *Call) error {
			b := &benched{call: c}
			if err := b.configure(); err != nil {
				return err
			}
			ctx, stop := interruptible() // not while a password is asked for: Ctrl-C ends that at once
			defer stop()
			return b.run(ctx)
		},
	}
}

// benched is one call of it.
type benched struct {
	call   *Call
	config bench.Config
	stream *bench.Stream
}

// prefixed are the characters of a prefix: none that a glob or a line takes for something else.
const prefixed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:._-/"

func (b *benched) configure() (err error) {
	c := b.call
	b.config = bench.Config{Contents: bench.Contents{Prefix: c.valueOr("prefix", "bench:")}, Seed: rand.Uint64()}
	if p := b.config.Contents.Prefix; strings.Trim(p, prefixed) != "" || p == "" || len(p) > 100 {
		return Usage("-prefix %q: 1 to 100 letters, digits and : . _ - /", p)
	}
	if b.config.Mix, err = bench.ParseMix(c.valueOr("mix", "get=9,set=1")); err != nil {
		return Usage("-mix: %v", err)
	}
	var sizes error
	b.config.Contents.Sizes, sizes = parseSizes(c.valueOr("size", "32"))
	numbers := []error{
		c.number("conns", &b.config.Connections, 50, 100_000), c.number("pipe", &b.config.Pipeline, 1, 100_000),
		c.number("keys", &b.config.Contents.Keys, 100_000, bench.MaxKeys), sizes,
		c.fraction("zipf", &b.config.Exponent, 10), c.fraction("rate", &b.config.Rate, 1e9),
		c.durationOr("for", &b.config.For, 10*time.Second), c.durationOr("warm", &b.config.WarmUp, time.Second),
		c.durationOr("ttl", &b.config.Contents.TTL, time.Minute),
	}
	if c.Given("ops") {
		requests := 0
		numbers = append(numbers, c.number("ops", &requests, 0, 1_000_000_000_000))
		b.config.Requests = int64(requests)
	}
	for _, err := range numbers {
		if err != nil {
			return err
		}
	}
	if c.Given("ops") && c.Given("for") {
		return Usage("-for or -ops, not both")
	}
	return b.configureDriver()
}

// configureDriver says whom to speak to, and how. It asks for the password.
func (b *benched) configureDriver() error {
	c := b.call
	secret, err := c.clientTLS()
	if err != nil {
		return err
	}
	b.config.Addresses = strings.Split(c.valueOr("addr", usualAddress(c.Given("redis"), secret)), ",")
	for _, a := range b.config.Addresses {
		if _, _, err := net.SplitHostPort(a); err != nil {
			return Usage("-addr %s: it is HOST:PORT, or several with commas", a)
		}
	}
	interactive, input := term.IsTerminal(int(c.In.Fd())), bufio.NewReader(c.In)
	user := c.values["user"]
	if user == "" && interactive {
		fmt.Fprint(c.Err, "User: ")
		if user, err = input.ReadString('\n'); err != nil {
			return err
		}
		user = strings.TrimRight(user, "\r\n")
	}
	if user == "" {
		return Usage("-user NAME: whose keys are they to be?")
	}
	if strings.ContainsAny(user, blanks) {
		return errBlanks
	}
	password, err := c.askPassword(user, input, interactive)
	if err != nil {
		return err
	}
	b.stream = &bench.Stream{TLS: secret, Dialect: bench.Text{User: user, Password: password}}
	if c.Given("redis") {
		b.stream.Dialect = bench.RESP{User: user, Password: password}
	}
	b.config.Driver = b.stream
	return nil
}

func usualAddress(redis bool, secret *tls.Config) string {
	switch {
	case redis && secret != nil:
		return "localhost:6380"
	case redis:
		return "localhost:6379"
	case secret != nil:
		return "localhost:8443"
	}
	return "localhost:8080"
}

// run measures. Keys that were there are not touched, and what was stored is removed, also after an error.
func (b *benched) run(ctx context.Context) (err error) {
	c, contents := b.call, &b.config.Contents
	if isTerminal(c.Err) {
		b.config.Progress = func(p bench.Progress) { fmt.Fprintf(c.Err, "\r\x1b[K%s", progressLine(p)) }
	}
	load, err := bench.Open(ctx, b.config)
	if err != nil {
		return ended(ctx, err)
	}
	defer load.Close()
	if err := b.harmless(ctx); err != nil {
		return ended(ctx, err)
	}
	if !c.Given("keep") {
		defer func() {
			// By then ctx may be over; another signal ends the process.
			if e := load.Remove(context.Background()); e != nil {
				err = errors.Join(err, fmt.Errorf("its keys, %s* from %s on, are not all removed: %w", contents.Prefix, bench.KeyName(contents.Prefix, 0), e))
			}
		}()
	}
	fmt.Fprintf(c.Err, "ciderd: up to %d keys from %s on, about %s of memory on each node%s\n", contents.Keys, bench.KeyName(contents.Prefix, 0),
		about(b.memory()), map[bool]string{true: "; they stay", false: ""}[c.Given("keep")])
	if b.config.Mix.Reads() {
		if err := load.Fill(ctx); err != nil {
			return ended(ctx, fmt.Errorf("storing the keys: %w", err))
		}
	}
	result := load.Run(ctx)
	if b.config.Progress != nil {
		fmt.Fprint(c.Err, "\r\x1b[K")
	}
	if err := c.Print(result, func(w io.Writer) error { return writeBench(w, &result) }); err != nil {
		return err
	}
	if len(result.Errors) > 0 {
		return ExitError(ExitFailed)
	}
	return nil
}

// ended says so where an error is only that somebody has had enough.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("ended before anything was measured")
	}
	return err
}

// harmless returns an error if something could be lost by this: a key that begins with the prefix, or, for want of memory,
// what anybody has stored.
func (b *benched) harmless(ctx context.Context) error {
	keeper, address := b.stream.Dialect.(bench.Keeper), b.config.Addresses[0]
	room, limited, err := keeper.Room(ctx, b.stream, address)
	if err != nil {
		return err
	}
	if need := b.memory(); limited && need > room {
		return fmt.Errorf("that would take about %s, and there is room for %s below the limit on memory; take fewer -keys, or smaller ones", about(need), about(room))
	}
	if b.call.Given("keep") {
		return nil
	}
	key, err := keeper.SomeKey(ctx, b.stream, address, b.config.Contents.Prefix)
	if err == nil && key != "" {
		err = fmt.Errorf("there is %s already: take another -prefix, or -keep, if such keys may be overwritten and are to stay", key)
	}
	return err
}

// memory is about what the keys take, by the numbers of docs/sizing.md.
func (b *benched) memory() int64 {
	contents := &b.config.Contents
	each := len(contents.Prefix) + bench.KeyDigits + (contents.Sizes.Min+contents.Sizes.Max)/2 + 14
	return int64(contents.Keys) * int64(each*17/16+20)
}

func progressLine(p bench.Progress) string {
	if p.At < 0 {
		return "warming up"
	}
	return fmt.Sprintf("%3.0fs  %9.0f/s  p50 %s  p99 %s  errors %d", p.At.Seconds(), p.PerSecond, p.P50.Round(time.Microsecond), p.P99.Round(time.Microsecond), p.Errors)
}

// writeBench writes a result for people.
func writeBench(out io.Writer, r *bench.Result) error {
	fmt.Fprintf(out, "%d connections, %d at once, %s, %d keys, %s\n", r.Load.Connections, r.Load.Pipeline, r.Load.Mix, r.Load.Keys, strings.Join(r.Load.Addresses, " "))
	fmt.Fprintf(out, "%.0f answers a second for %.1f s; milliseconds:\n", r.PerSecond, r.Seconds)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tA SECOND\tFOUND\tMEAN\tP50\tP90\tP99\tP99.9\tMAX\t")
	row := func(name string, perSecond float64, found string, l bench.Latency) {
		fmt.Fprintf(w, "%s\t%.0f\t%s\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t\n", name, perSecond, found, l.Mean, l.P50, l.P90, l.P99, l.P999, l.Max)
	}
	for _, name := range bench.Names() {
		if o, there := r.Operations[name]; there {
			found := "-"
			if o.Found+o.Missed > 0 {
				found = fmt.Sprintf("%.0f%%", 100*float64(o.Found)/float64(o.Found+o.Missed))
			}
			row(name, o.PerSecond, found, o.Milliseconds)
		}
	}
	if len(r.Operations) > 1 {
		row("all", r.PerSecond, "", r.Milliseconds)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "longest time of a connection without an answer: %.1f ms\n", r.LongestWait)
	for _, p := range r.Errors {
		fmt.Fprintf(out, "%d times %s: %s\n", p.Count, p.Name, p.Example)
	}
	if r.Unanswered > 0 || r.Reconnected > 0 {
		fmt.Fprintf(out, "%d requests without an answer, %d connections made again\n", r.Unanswered, r.Reconnected)
	}
	return nil
}

// parseSizes reads a size, or a range of them.
func parseSizes(text string) (s bench.Sizes, err error) {
	from, to, several := strings.Cut(text, "-")
	if !several {
		to = from
	}
	var bad [2]error
	s.Min, bad[0] = strconv.Atoi(from)
	s.Max, bad[1] = strconv.Atoi(to)
	if errors.Join(bad[:]...) != nil || s.Min < 1 || s.Max < s.Min || s.Max > 64<<20 {
		return s, Usage("-size %q is neither a number of bytes nor two, like 16-1024", text)
	}
	return s, nil
}

// valueOr returns a flag's value.
func (c *Call) valueOr(flag, usual string) string {
	if c.Given(flag) {
		return c.values[flag]
	}
	return usual
}

// number reads a flag that is a number from 1 to most.
func (c *Call) number(flag string, into *int, usual, most int) (err error) {
	if *into = usual; !c.Given(flag) {
		return nil
	}
	if *into, err = strconv.Atoi(c.values[flag]); err != nil || *into < 1 || *into > most {
		return Usage("-%s %q is not a number from 1 to %d", flag, c.values[flag], most)
	}
	return nil
}

// fraction reads a flag that is a number above 0; without it there is none.
func (c *Call) fraction(flag string, into *float64, most float64) (err error) {
	if !c.Given(flag) {
		return nil
	}
	if *into, err = strconv.ParseFloat(c.values[flag], 64); err != nil || !(*into > 0 && *into <= most) {
		return Usage("-%s %q is not a number above 0, up to %v", flag, c.values[flag], most)
	}
	return nil
}

// durationOr reads a flag that is a time.
func (c *Call) durationOr(flag string, into *time.Duration, usual time.Duration) (err error) {
	if *into = usual; c.Given(flag) && c.values[flag] != "0" {
		*into, err = c.duration(flag)
	} else if c.Given(flag) {
		*into = 0
		if flag != "warm" {
			err = Usage("-%s 0 is not a time above 0, like 30s or 5m", flag)
		}
	}
	return err
}
