package resp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"ciderd/internal/protocol/block"
	"ciderd/test/norace"
)

// What a server wants of a reader.
var _ interface {
	Fill() error
	Release()
	SetMaxLine(n int)
	Buffered() int
	Partial() bool
	Size() int
} = (*Reader)(nil)

// chunks is a stream that comes in pieces; after its end, err.
type chunks struct {
	left [][]byte
	err  error
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.left) == 0 {
		return 0, c.err
	}
	n := copy(p, c.left[0])
	if c.left[0] = c.left[0][n:]; len(c.left[0]) == 0 {
		c.left = c.left[1:]
	}
	return n, nil
}

// inPieces cuts in where the bytes of cuts say.
func inPieces(in, cuts []byte) *chunks {
	c := &chunks{err: io.EOF}
	for len(in) > 0 && len(cuts) > 0 {
		n := min(len(in), int(cuts[0])+1)
		c.left = append(c.left, in[:n])
		in, cuts = in[n:], cuts[1:]
	}
	if len(in) > 0 {
		c.left = append(c.left, in)
	}
	return c
}

// readAll returns what comes from r as naiveRead does.
func readAll(t *testing.T, r *Reader) (events []string) {
	t.Helper()
	for {
		args, event := r.Next()
		switch event {
		case Request:
			events = append(events, fmt.Sprintf("%q", args))
		case TooLarge:
			events = append(events, "TOO LARGE")
		case Browser:
			return append(events, "BROWSER")
		case Broken:
			message, ok := strings.CutPrefix(r.Err().Error(), "ERR Protocol error: ")
			if again := r.Fill(); !ok || again != r.Err() {
				t.Errorf("the error is %q, then %v", message, again)
			}
			return append(events, "BROKEN "+message)
		case None:
			if err := r.Fill(); err == io.EOF {
				return events
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// bulks writes a request as clients do.
func bulks(args ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(a), a)
	}
	return b.String()
}

// check holds what a Reader gives of in against the naive reading.
func check(t *testing.T, in, cuts []byte, l Limits) {
	t.Helper()
	want := naiveRead(in, l)
	r := NewReader(inPieces(in, cuts))
	r.SetLimits(l)
	if got := readAll(t, r); !slices.Equal(got, want) {
		t.Fatalf("%.300q cut at %v with %+v:\ngot  %.300v\nwant %.300v", in, cuts, l, got, want)
	}
}

var pieces = []string{
	"*1\r\n", "*2\r\n", "*3\r\n", "*0\r\n", "*-1\r\n", "*11\r\n", "*20\r\n", "*x\r\n", "*01\r\n", "*2147483648\r\n", "*", "$", "\r", "\n", "\r\n",
	"$0\r\n\r\n", "$1\r\na\r\n", "$3\r\nGET\r\n", "$3\r\nkey\r\n", "$4\r\nPOST\r\n", "$5\r\nhost:\r\n", "$5\r\n\r\n*1\r\r\n", "$2\ra$$ab", "$20\r\n", "$40\r\n",
	"$-1\r\n", "$536870913\r\n", "PING\r\n", "PING\n", "GET k\r\n", " ", "\t", "\v", `"`, "'", `\`, `\x41`, `\n`, `\'`, `"a b"`, "'a b'", "post x\n", "Host: y\n", "\x00", "\xff",
	"$5\r\nvalue\r\n", "$5\r\nvalue", strings.Repeat("x", 70), "$70\r\n" + strings.Repeat("y", 70) + "\r\n",
}

func randomStream(rng *rand.Rand) []byte {
	var in []byte
	for range rng.IntN(12) {
		switch rng.IntN(6) {
		case 0:
			in = append(in, bulks([]string{"SET", "k", "v", "EX", "10"}[:1+rng.IntN(5)]...)...)
		case 1:
			in = append(in, byte(rng.Uint32()))
		default:
			in = append(in, pieces[rng.IntN(len(pieces))]...)
		}
	}
	return in
}

func TestRequestsDoNotDependOnHowTheStreamIsCut(t *testing.T) {
	norace.Alone(t)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		l := Limits{LoggedIn: rng.IntN(2) == 0, Args: 1 + rng.IntN(12), Bulk: rng.IntN(100), Request: rng.IntN(200)}
		cuts := make([]byte, rng.IntN(12))
		for i := range cuts {
			cuts[i] = byte(rng.IntN(1 << rng.IntN(7)))
		}
		check(t, randomStream(rng), cuts, l)
	}
}

func FuzzReader(f *testing.F) {
	for _, p := range pieces {
		f.Add([]byte(p+"*1\r\n$4\r\nPING\r\n"), []byte{0, 1, 2}, uint8(10), uint16(100), uint16(300), true)
	}
	f.Add([]byte(bulks("MSET", "a", strings.Repeat("v", 200), "b", "w")+"PING\r\n"), []byte{9, 9, 9}, uint8(10), uint16(300), uint16(100), false)
	f.Add([]byte(strings.Repeat("x", 1000)+"\nPING\n"), []byte{255, 255}, uint8(10), uint16(300), uint16(100), false)
	f.Add([]byte(`SET "a \x41\n" 'it\'s' b"c"`+"\r\n"), []byte{3, 3}, uint8(4), uint16(300), uint16(100), true)
	f.Fuzz(func(t *testing.T, in, cuts []byte, args uint8, bulk, request uint16, loggedIn bool) {
		check(t, in, cuts, Limits{LoggedIn: loggedIn, Args: int(args), Bulk: int(bulk), Request: int(request)})
	})
}

func TestTheLimitsOfRedisAreExact(t *testing.T) {
	norace.Alone(t)
	x := func(n int) string { return strings.Repeat("x", n) }
	for name, tc := range map[string]struct {
		in   string
		want string
		l    Limits
	}{
		"a line of 64 KiB":               {x(64<<10) + "\n", "", SessionLimits(1 << 20)},
		"a longer line":                  {x(64<<10+1) + "\n", "too big inline request", SessionLimits(1 << 20)},
		"a line without an end":          {x(64<<10 + 1), "too big inline request", SessionLimits(1 << 20)},
		"a long line that is skipped":    {x(64<<10+1) + "\n", "too big inline request", Limits{Request: 100}},
		"a long count":                   {"*" + x(64<<10), "too big mbulk count string", SessionLimits(1 << 20)},
		"a long count with an end":       {"*" + x(64<<10) + "\r\n", "too big mbulk count string", SessionLimits(1 << 20)},
		"a long count within the limit":  {"*" + x(64<<10-1) + "\r\n", "invalid multibulk length", SessionLimits(1 << 20)},
		"a long length":                  {"*1\r\n$" + x(64<<10), "too big bulk count string", SessionLimits(1 << 20)},
		"ten arguments before login":     {bulks(slices.Repeat([]string{"a"}, 10)...), "", LoginLimits()},
		"eleven arguments before login":  {"*11\r\n", "unauthenticated multibulk length", LoginLimits()},
		"many arguments before login":    {"*2147483647\r\n", "unauthenticated multibulk length", LoginLimits()},
		"too many for Redis":             {"*2147483648\r\n", "invalid multibulk length", LoginLimits()},
		"16 KiB before login":            {bulks(x(16 << 10)), "", LoginLimits()},
		"ten times 16 KiB before login":  {bulks(slices.Repeat([]string{x(16 << 10)}, 10)...), "", LoginLimits()},
		"more before login":              {"*1\r\n$16385\r\n", "unauthenticated bulk length", LoginLimits()},
		"512 MiB before login":           {"*1\r\n$536870912\r\n", "unauthenticated bulk length", LoginLimits()},
		"more than Redis takes":          {"*1\r\n$536870913\r\n", "invalid bulk length", LoginLimits()},
		"the largest value":              {bulks(x(512 << 10)), "", SessionLimits(512 << 10)},
		"a larger value":                 {"*1\r\n$524289\r\n", "invalid bulk length", SessionLimits(512 << 10)},
		"16,384 arguments":               {bulks(slices.Repeat([]string{"a"}, 16384)...), "", SessionLimits(1 << 20)},
		"one more argument":              {"*16385\r\n", "invalid multibulk length", SessionLimits(1 << 20)},
		"eleven words before login":      {strings.Repeat("a ", 11) + "\n", "unauthenticated multibulk length", LoginLimits()},
		"a word of 16 KiB":               {x(16<<10) + "\n", "", LoginLimits()},
		"a longer word":                  {x(16<<10+1) + "\n", "unauthenticated bulk length", LoginLimits()},
		"4 MiB in eight values":          {bulks(slices.Repeat([]string{x(512 << 10)}, 8)...), "", SessionLimits(512 << 10)},
		"a long count, a low limit":      {"*" + x(64<<10) + "\r\n", "too big mbulk count string", Limits{LoggedIn: true, Args: 1}},
		"4 MiB in 16,384 parts of 256 B": {bulks(slices.Repeat([]string{x(256)}, 16384)...), "", SessionLimits(512 << 10)},
	} {
		r := NewReader(inPieces([]byte(tc.in), nil))
		r.SetLimits(tc.l)
		events := readAll(t, r)
		switch {
		case len(events) != 1:
			t.Errorf("%s: got %.100v", name, events)
		case tc.want == "" && events[0][0] != '[', tc.want != "" && events[0] != "BROKEN "+tc.want:
			t.Errorf("%s: got %.100s", name, events[0])
		}
	}
}

// What a length claims costs nothing until the bytes come.
func TestNothingIsAllocatedForWhatIsOnlyClaimed(t *testing.T) {
	src := &chunks{err: io.ErrNoProgress, left: [][]byte{[]byte("*16384\r\n$1048576\r\n")}}
	r := NewReader(src)
	r.SetLimits(SessionLimits(1 << 20))
	fill := func() {
		if _, event := r.Next(); event != None {
			t.Fatal(event)
		}
		if err := r.Fill(); err != nil && err != io.ErrNoProgress {
			t.Fatal(err)
		}
	}
	for range 3 {
		fill()
	}
	if r.Size() != smallSize {
		t.Errorf("holds %d bytes", r.Size())
	}
	for came := 18; came < 1<<20; came += 1000 {
		src.left = append(src.left, bytes.Repeat([]byte("v"), 1000))
		fill()
		if r.Size() > max(block.Least, 2*came+4000)+smallSize {
			t.Fatalf("holds %d bytes of %d", r.Size(), came)
		}
	}
}

// The limit on a request is exact, also where it is the size of a buffer.
func TestARequestOfTheLimitIsRead(t *testing.T) {
	for _, limit := range []int{200, block.Least, 2 * block.Least} {
		value := strings.Repeat("v", limit)
		exact := bulks("SET", value[:limit-len(bulks("SET", value))+limit])
		for over, want := range []Event{Request, TooLarge} {
			for _, cuts := range [][]byte{nil, bytes.Repeat([]byte{255}, limit)} {
				r := NewReader(inPieces([]byte(exact), cuts))
				r.SetLimits(Limits{LoggedIn: true, Args: 2, Bulk: limit, Request: limit - over})
				event := None
				for event == None {
					if err := r.Fill(); err != nil {
						t.Fatal(err)
					}
					_, event = r.Next()
				}
				if len(exact) != limit || event != want {
					t.Errorf("%d bytes within %d: got %v", len(exact), limit-over, event)
				}
			}
		}
	}
}

// A request over the limit is dropped while it comes, and the connection lives.
func TestARequestOverTheLimitIsSkippedWithoutHoldingIt(t *testing.T) {
	value := strings.Repeat("v", 500<<10)
	large := bulks(slices.Repeat([]string{value}, 40)...)
	src := &chunks{err: io.EOF}
	for rest := []byte(large + bulks("PING")); len(rest) > 0; {
		n := min(len(rest), 64<<10)
		src.left, rest = append(src.left, rest[:n]), rest[n:]
	}
	r := NewReader(src)
	r.SetLimits(SessionLimits(512 << 10))
	largest := 0
	var events []Event
	for {
		_, event := r.Next()
		if event != None {
			events = append(events, event)
			continue
		}
		if err := r.Fill(); err != nil {
			break
		}
		largest = max(largest, r.Size())
	}
	if !slices.Equal(events, []Event{TooLarge, Request}) {
		t.Errorf("got %v", events)
	}
	if largest > 8<<20+block.Least {
		t.Errorf("held %d bytes", largest)
	}
}

// The server lowers the limit while a request comes for which there is no memory.
func TestALimitThatIsLoweredDropsWhatIsBeingRead(t *testing.T) {
	for _, begin := range []string{"*2\r\n$3\r\nGET\r\n$40000\r\n" + strings.Repeat("v", 20000), strings.Repeat("w", 20000)} {
		src := &chunks{err: io.EOF, left: [][]byte{[]byte(begin)}}
		r := NewReader(src)
		r.SetLimits(SessionLimits(1 << 20))
		for r.Buffered() < 20000 {
			if _, event := r.Next(); event != None {
				t.Fatal(event)
			}
			if err := r.Fill(); err != nil {
				t.Fatal(err)
			}
		}
		r.SetMaxLine(512)
		if _, event := r.Next(); event != None || r.Buffered() != 0 || !r.Partial() {
			t.Errorf("%v, %d bytes are left, partial %v", event, r.Buffered(), r.Partial())
		}
		if r.Release(); r.Size() != smallSize {
			t.Errorf("holds %d bytes", r.Size())
		}
		src.left = append(src.left, []byte(strings.Repeat("v", 20000)), []byte("\r\n"), []byte("PING\r\n"))
		if got := readAll(t, r); !slices.Equal(got, []string{"TOO LARGE", `["PING"]`}) {
			t.Errorf("got %q", got)
		}
	}
}

// A client may send its next request before its login is answered.
func TestLimitsHoldForWhatNextHasNotLookedAt(t *testing.T) {
	many := bulks(slices.Repeat([]string{"MGET"}, 11)...)
	for loggedIn, want := range map[bool]Event{true: Request, false: Broken} {
		r := NewReader(inPieces([]byte(bulks("AUTH", "u", "x")+many), nil))
		if err := r.Fill(); err != nil {
			t.Fatal(err)
		}
		if _, event := r.Next(); event != Request {
			t.Fatal(event)
		}
		if loggedIn {
			r.SetLimits(SessionLimits(512 << 10))
		}
		if _, event := r.Next(); event != want {
			t.Errorf("logged in %v: got %v", loggedIn, event)
		}
	}
}

func TestATimeoutLosesNothing(t *testing.T) {
	timeout := errors.New("timeout")
	src := &chunks{err: timeout}
	r := NewReader(src)
	if r.Err() != nil {
		t.Error(r.Err())
	}
	var got []string
	for _, c := range []byte(bulks("SET", "k", "v") + "GET k\r\n") {
		if err := r.Fill(); err != timeout {
			t.Fatal(err)
		}
		r.Release()
		src.left = append(src.left, []byte{c})
		if err := r.Fill(); err != nil {
			t.Fatal(err)
		}
		if args, event := r.Next(); event == Request {
			got = append(got, fmt.Sprintf("%q", args))
		}
	}
	if !slices.Equal(got, []string{`["SET" "k" "v"]`, `["GET" "k"]`}) || r.Partial() {
		t.Errorf("got %q", got)
	}
}

func TestWhatABurstHasBorrowedIsGivenBack(t *testing.T) {
	r := NewReader(inPieces([]byte(bulks(slices.Repeat([]string{"word"}, 5000)...)+"PING\r\n"), nil))
	r.SetLimits(SessionLimits(1 << 20))
	if got := readAll(t, r); len(got) != 2 {
		t.Fatalf("got %.100q", got)
	}
	if r.Size() > smallSize+block.Least {
		t.Errorf("holds %d bytes after a small request", r.Size())
	}
	r = NewReader(inPieces([]byte(bulks(slices.Repeat([]string{"word"}, 500)...)), nil))
	r.SetLimits(SessionLimits(1 << 20))
	if got := readAll(t, r); len(got) != 1 || r.Size() < len(r.buf)+500*(argSize+spanSize) {
		t.Errorf("says that it holds %d bytes", r.Size())
	}
	if r.Release(); r.Size() != smallSize || r.Buffered() != 0 {
		t.Errorf("holds %d bytes after Release", r.Size())
	}
}

func TestGetsAheadAreTheKeysOfTheNextRequests(t *testing.T) {
	burst := bulks("PING") + bulks("GET", "a") + bulks("get", "bb") + bulks("GET", "") + bulks("GET", "c", "d") + bulks("GET", "e")
	for cut := range len(burst) + 1 {
		r := NewReader(inPieces([]byte(burst[:cut]), nil))
		if cut > 0 {
			if err := r.Fill(); err != nil {
				t.Fatal(err)
			}
		}
		r.Next()
		var keys [8][]byte
		got := r.GetsAhead(keys[:0])
		var want []string
		for _, event := range naiveRead([]byte(burst[:cut]), LoginLimits()) {
			if event != `["PING"]` && strings.Count(event, `"`) == 4 {
				want = append(want, event)
			}
		}
		if len(got) != min(3, len(want)) {
			t.Errorf("%d bytes: got %q, want %q", cut, got, want)
		}
		if len(got) == 3 && string(bytes.Join(got, []byte(","))) != "a,bb," {
			t.Errorf("got %q", got)
		}
		if got := r.GetsAhead(keys[:0:1]); len(got) > 1 {
			t.Errorf("got %q, and asked for one", got)
		}
	}
}

// loop is a stream without an end: the same bytes again and again.
type loop struct {
	data string
	off  int
}

func (l *loop) Read(p []byte) (int, error) {
	n := copy(p, l.data[l.off:])
	l.off = (l.off + n) % len(l.data)
	return n, nil
}

func TestReadingARequestAllocatesNothing(t *testing.T) {
	for _, burst := range []string{
		bulks("GET", "user:1000"), bulks("SET", "k", "v", "EX", "60", "NX"), "GET k\r\n", `SET "a b" 'c'` + "\n", bulks(slices.Repeat([]string{"word"}, 100)...),
	} {
		r := NewReader(&loop{data: burst})
		r.SetLimits(SessionLimits(512 << 10))
		next := func() {
			for {
				if _, event := r.Next(); event == Request {
					return
				} else if event != None {
					t.Fatal(event, r.Err())
				}
				if err := r.Fill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		for range 2000 {
			next()
		}
		if n := testing.AllocsPerRun(2000, next); n != 0 {
			t.Errorf("%.40q: %v allocations", burst, n)
		}
	}
}
