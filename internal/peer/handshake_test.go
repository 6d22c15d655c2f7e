package peer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
)

func TestHandshake(t *testing.T) {
	s := startServer(t, nil)
	for _, want := range []string{"bob/22bb", "bob"} {
		conn, remote, err := Dial(t.Context(), s.address, alice, want, KindForward)
		if err != nil {
			t.Fatal(err)
		}
		if remote != bob {
			t.Errorf("met %+v, want %+v", remote, bob)
		}
		if _, err := conn.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		var echo [5]byte
		if _, err := io.ReadFull(conn, echo[:]); err != nil || string(echo[:]) != "hello" {
			t.Errorf("echo %q, error %v", echo, err)
		}
		conn.Close()
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if want := []Identity{alice, alice}; !slices.Equal(s.handed, want) {
		t.Errorf("handed over %+v, want %+v", s.handed, want)
	}
}

func TestRefused(t *testing.T) {
	s := startServer(t, nil)
	for name, c := range map[string]struct {
		from Identity
		want string
		kind Kind
		says string
	}{
		"other cluster":  {Identity{Cluster: "test", Node: "alice", ServerID: "alice/11aa"}, "bob", KindForward, `this is no node of cluster "test"`},
		"other node":     {alice, "carol", KindForward, "this is bob/22bb, not carol"},
		"other disk":     {alice, "bob/33cc", KindForward, "this is bob/22bb, not bob/33cc"},
		"nobody":         {alice, "", KindForward, "this is bob/22bb"},
		"unknown member": {Identity{Cluster: "prod", Node: "mallory", ServerID: "mallory/1"}, "bob", KindForward, `no node "mallory"`},
		"itself":         {Identity{Cluster: "prod", Node: "bob", ServerID: "bob/33cc"}, "bob", KindForward, "no other node"},
		"two names":      {Identity{Cluster: "prod", Node: "alice", ServerID: "bob/33cc"}, "bob", KindForward, "no other node"},
		"a copy":         {Identity{Cluster: "prod", Node: "bob", ServerID: "bob/22bb", Nonce: "x"}, "bob", KindForward, "another process"},
		"unknown kind":   {alice, "bob", 'X', "unknown kind of connection"},
		"no handler":     {alice, "bob", KindRaft, "unknown kind of connection"},
	} {
		conn, _, err := Dial(t.Context(), s.address, c.from, c.want, c.kind)
		if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v, want %q", name, err, c.says)
		}
		if conn != nil {
			t.Errorf("%s: got a connection all the same", name)
		}
	}
	s.Close()
	if len(s.handed) > 0 {
		t.Errorf("handed over %+v", s.handed)
	}
}

func goodHello() []byte { return (&hello{kind: KindForward, from: alice, want: "bob"}).encode() }

// What comes in the same packet as the greeting belongs to the handler.
func TestBytesBehindTheGreeting(t *testing.T) {
	s := startServer(t, nil)
	back := send(t, s.address, append(goodHello(), "at once"...))
	r := bufio.NewReader(bytes.NewReader(back))
	remote, err := readReply(r, false)
	if err != nil || remote.ServerID != bob.ServerID {
		t.Errorf("met %+v, error %v", remote, err)
	}
	if echo, _ := io.ReadAll(r); string(echo) != "at once" {
		t.Errorf("echo %q", echo)
	}
}

func TestGarbageIsNeverHandedOver(t *testing.T) {
	s := startServer(t, nil)
	all := [][]byte{
		[]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		[]byte(strings.Replace(string(goodHello()), "\x02", "\x03", 1)),
		bytes.Repeat([]byte{0xff}, 20_000),
		bytes.Repeat([]byte{0}, 100),
	}
	for n := range len(goodHello()) {
		all = append(all, goodHello()[:n])
	}
	for _, b := range all {
		back := send(t, s.address, b)
		if len(back) > 0 && back[0] != 0 { // a reset may have destroyed the refusal
			t.Errorf("%d bytes from %.20q were answered %.20q", len(b), b, back)
		}
	}
	s.Close()
	if len(s.handed) > 0 {
		t.Errorf("handed over %+v", s.handed)
	}
}

func TestDialMeetsNoNode(t *testing.T) {
	for name, c := range map[string]struct {
		says    string
		wantErr string
	}{
		"something else": {"SSH-2.0-OpenSSH_9.7\r\n", "no ciderd node"},
		"cut short":      {"\x01\x03bo", "EOF"},
		"nothing":        {"", "EOF"},
	} {
		address := listen(t, func(conn net.Conn) {
			_, _ = readHello(readerOf(conn))
			_, _ = io.WriteString(conn, c.says)
		})
		conn, _, err := Dial(t.Context(), address, alice, "bob", KindForward)
		if err == nil || errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), c.wantErr) || conn != nil {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestDialEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	address := listen(t, func(conn net.Conn) {
		_, _ = readHello(readerOf(conn))
		cancel() // while the caller waits for the answer
		untilClosed(conn)
	})
	if _, _, err := Dial(ctx, address, alice, "bob", KindForward); err == nil {
		t.Error("met a node that said nothing")
	}
}

func TestFieldsAreCapped(t *testing.T) {
	long := strings.Repeat("x", 3*maxField)
	h := &hello{kind: KindForward, from: Identity{Cluster: long, Node: long, ServerID: long}, want: long}
	b := h.encode()
	if most := len(magic) + 1 + 4*(1+maxField) + len(`_{}`); len(b) != most {
		t.Errorf("%d bytes, want %d", len(b), most)
	}
	got, err := readHello(bufio.NewReader(bytes.NewReader(b)))
	if cut := long[:maxField]; err != nil || got.from != (Identity{Cluster: cut, Node: cut, ServerID: cut}) || got.want != cut {
		t.Errorf("read %+v, error %v", got, err)
	}
	if _, err := readReply(bufio.NewReader(bytes.NewReader(encodeReply(bob, &Refusal{Reason: long}, false))), false); !errors.Is(err, ErrRefused) {
		t.Errorf("error %v", err)
	}
}

func FuzzHello(f *testing.F) {
	f.Add(goodHello())
	f.Add(encodeReply(bob, nil, false))
	f.Add(encodeReply(bob, &Refusal{Reason: "go away"}, false))
	f.Add([]byte(magic + "F\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := readHello(bufio.NewReader(bytes.NewReader(b))); err == nil && h.old && !bytes.HasPrefix(b, h.encode()) {
			t.Errorf("%q was read as %q", b, h.encode())
		}
		remote, err := readReply(bufio.NewReader(bytes.NewReader(b)), false)
		welcome := appendField(appendField([]byte{1}, remote.Node), remote.ServerID)
		if err == nil && !bytes.HasPrefix(b, welcome) {
			t.Errorf("%q was taken for a welcome of %+v", b, remote)
		}
	})
}
