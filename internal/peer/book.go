package peer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Lookup returns the addresses of a host name.
type Lookup func(ctx context.Context, host string) ([]netip.Addr, error)

const (
	// lookupTimeout is how long a name may take to resolve: an election waits for it.
	lookupTimeout = 300 * time.Millisecond
	// lookupAgain is how long a name that did not resolve is not looked up again, while there is an address.
	lookupAgain = 2 * time.Second
)

// Book finds nodes by the names in the file, and remembers where each was last met: a name server that is down must
// not keep nodes from finding each other. A name that resolves wins. A nil Book remembers nothing.
type Book struct {
	lookup Lookup

	mu     sync.Mutex // all below
	met    map[string]string
	failed map[string]time.Time // host:port -> when its name did not resolve
}

// NewBook returns a Book that resolves with lookup, or as the machine does if lookup is nil. met is what an earlier
// Book's Met returned.
func NewBook(lookup Lookup, met map[string]string) *Book {
	if lookup == nil {
		lookup = resolve
	}
	b := &Book{lookup: lookup, met: map[string]string{}, failed: map[string]time.Time{}}
	maps.Copy(b.met, met)
	return b
}

func resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}

// Met returns where nodes were last met: their addresses in the file, and what those resolved to then. It has only
// those that are names.
func (b *Book) Met() map[string]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.met)
}

// note remembers where a node was met.
func (b *Book) note(address string, conn net.Conn) {
	if b == nil || isNumeric(address) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.met[address] = conn.RemoteAddr().String()
}

func isNumeric(address string) bool {
	_, err := netip.ParseAddrPort(address)
	return err == nil
}

// Connect connects to an address of the file, host:port.
func (b *Book) Connect(ctx context.Context, address string) (net.Conn, error) {
	if b == nil || isNumeric(address) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", address)
	}
	places, err := b.places(ctx, address)
	if err != nil {
		return nil, err
	}
	return connectAny(ctx, places)
}

// connectAny tries each address in turn. Each gets its share of the remaining time: one that does not answer must
// not keep the next from being tried.
func connectAny(ctx context.Context, places []string) (conn net.Conn, err error) {
	var errs []error
	for i, place := range places {
		trying, cancel := ctx, context.CancelFunc(func() {})
		if end, ok := ctx.Deadline(); ok {
			trying, cancel = context.WithTimeout(ctx, time.Until(end)/time.Duration(len(places)-i))
		}
		conn, err := (&net.Dialer{}).DialContext(trying, "tcp", place)
		cancel()
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// places returns what an address of the file resolves to now, or where its node was last met if it does not.
func (b *Book) places(ctx context.Context, address string) ([]string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	last, lately := b.last(address)
	if last != "" && lately {
		return []string{last}, nil
	}
	looking, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	ips, err := b.lookup(looking, host)
	if err == nil && len(ips) == 0 {
		err = &net.DNSError{Err: "no addresses", Name: host, IsNotFound: true}
	}
	if err == nil {
		b.resolved(address, true)
		return placesOf(ips, port, last), nil
	}
	if ctx.Err() == nil {
		b.resolved(address, false)
	}
	if last != "" {
		return []string{last}, nil
	}
	if looking.Err() != nil && ctx.Err() == nil { // whatever error the resolver returned at its deadline
		err = &net.DNSError{Err: fmt.Sprintf("no answer in %v", lookupTimeout), Name: host, IsTimeout: true}
	}
	return nil, err
}

// placesOf returns the addresses with the one where the node was last met first, if it is among them.
func placesOf(ips []netip.Addr, port, last string) (places []string) {
	for _, ip := range ips {
		place := net.JoinHostPort(ip.Unmap().String(), port)
		if place == last {
			places = slices.Insert(places, 0, place)
		} else {
			places = append(places, place)
		}
	}
	return places
}

// last returns where the node of an address was last met, and whether its name failed to resolve lately.
func (b *Book) last(address string) (place string, lately bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.met[address], time.Since(b.failed[address]) < lookupAgain
}

func (b *Book) resolved(address string, yes bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if yes {
		delete(b.failed, address)
	} else {
		b.failed[address] = time.Now()
	}
}
