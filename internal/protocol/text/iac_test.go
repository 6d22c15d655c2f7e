package text

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func TestFilter(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		lines    []string
		replies  string
	}{
		{"plain", "GET a\n", []string{`"GET a"`}, ""},
		{"IAC IAC", "a\xff\xffb\n", []string{`"a\xffb"`}, ""},
		{"DO is refused once", "\xff\xfd\x01a\xff\xfd\x01\xff\xfd\x03\n", []string{`"a"`}, "\xff\xfc\x01\xff\xfc\x03"},
		{"WILL is refused once", "\xff\xfb\x1fa\xff\xfb\x1f\xff\xfb\xff\n", []string{`"a"`}, "\xff\xfe\x1f\xff\xfe\xff"},
		{"timing mark every time", "\xff\xfd\x06\xff\xfd\x06\n", []string{`""`}, "\xff\xfc\x06\xff\xfc\x06"},
		{"WONT and DONT", "\xff\xfc\x01\xff\xfe\x01a\n", []string{`"a"`}, ""},
		{"an option that looks like a line end", "\xff\xfd\na\n", []string{`"a"`}, "\xff\xfc\n"},
		{"an option that is Ctrl-C", "a\xff\xfe\x03b\n", []string{`"ab"`}, ""},
		{"Ctrl-C of telnet", "SET a b\xff\xf4\xff\xfd\x06GET a\r\n", []string{`"GET a"`}, "\xff\xfc\x06"},
		{"0x03", "SET a b\x03GET a\n", []string{`"GET a"`}, ""},
		{"0x03 spares complete lines", "a\nb\r\x00c\x03d\n\x03\n", []string{`"a"`, `"b"`, `"d"`, `""`}, ""},
		{"AYT", "a\xff\xf6b\n", []string{`"ab"`}, "[yes]\n"},
		{"EC", "ab\xff\xf7c\n\xff\xf7d\n", []string{`"ac"`, `"d"`}, ""},
		{"EC takes a whole character", "a\u00e9\xff\xf7b\n", []string{`"ab"`}, ""},
		{"EC stops at CR NUL", "a\r\x00\xff\xf7b\n", []string{`"a"`, `"b"`}, ""},
		{"EL", "a\nbc\xff\xf8d\n", []string{`"a"`, `"d"`}, ""},
		{"NOP, DM, AO, GA", "\xff\xf1G\xff\xf2E\xff\xf5T\xff\xf9 a\n", []string{`"GET a"`}, ""},
		{"a DM that went out of band", "\xffGET a\n", []string{`"GET a"`}, ""},
		{"an IAC before a line end", "a\xff\nb\n", []string{`"a"`, `"b"`}, ""},
		{"subnegotiation", "a\xff\xfa\x18\x00x\n\xff\xff\x03\xff\xf0b\n", []string{`"ab"`}, ""},
		{"a long one", "\xff\xfa" + strings.Repeat("x", 512) + "a\n", []string{`"a"`}, ""},
		{"one that just fits", "\xff\xfa" + strings.Repeat("x", 510) + "\xff\xf0a\n", []string{`"a"`}, ""},
		{"one whose end is cut in two", "\xff\xfa" + strings.Repeat("x", 511) + "\xff\xf0a\n", []string{`"a"`}, ""},
		{"SE alone", "\xff\xf0a\n", []string{`"a"`}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for range 2 {
				r := NewReader(iotest.OneByteReader(strings.NewReader(tc.in)))
				lines, replies := readAll(t, r)
				if !slices.Equal(lines, tc.lines) || string(replies) != tc.replies {
					t.Errorf("byte by byte: %v %q, want %v %q", lines, replies, tc.lines, tc.replies)
				}
				r = NewReader(strings.NewReader(tc.in))
				lines, replies = readAll(t, r)
				if !slices.Equal(lines, tc.lines) || string(replies) != tc.replies {
					t.Errorf("at once: %v %q, want %v %q", lines, replies, tc.lines, tc.replies)
				}
			}
		})
	}
}

// A line over the limit that is erased leaves nothing behind, wherever the stream was cut.
func TestFilterErasesLongLine(t *testing.T) {
	for _, in := range [][]string{
		{"xxxxxxxxxxxx\x03PING\n"},
		{"xxxxxxxxxxxx", "\x03PING\n"},
		{"xxxxxx", "xxxxxx", "xx\xff\xf4", "PING\n"},
		{"xxxxxxxxxx\r", "\xff\xf8PING\n"},
	} {
		r := NewReader(chunks(in...))
		r.SetMaxLine(8)
		if got, _ := readAll(t, r); !slices.Equal(got, []string{`"PING"`}) {
			t.Errorf("%q: got %v", in, got)
		}
	}
}

func TestFilterEcho(t *testing.T) {
	r := NewReader(chunks("\xff\xfd\x03", "\xff\xfd\x01\xff\xfe\x01", "\xff\xfd\x01a\n"))
	if r.IsTelnet() {
		t.Error("telnet before the first byte")
	}
	if err := r.Fill(); err != nil {
		t.Fatal(err)
	}
	if !r.IsTelnet() {
		t.Error("no telnet after DO")
	}
	if got := r.offerEcho(r.takeReplies(nil)); string(got) != "\xff\xfc\x03\xff\xfb\x01" {
		t.Errorf("got %q", got)
	}
	if err := r.Fill(); err != nil {
		t.Fatal(err)
	}
	if got := r.endEcho(nil); string(got) != "\xff\xfc\x01" {
		t.Errorf("got %q", got)
	}
	if lines, replies := readAll(t, r); !slices.Equal(lines, []string{`"a"`}) || len(replies) != 0 {
		t.Errorf("got %v %q", lines, replies)
	}
}

func TestFilterIsTelnet(t *testing.T) {
	for in, want := range map[string]bool{"a\n": false, "\xff\xff\n": false, "\xffG\n": false, "\xff\xf1\n": true} {
		r := NewReader(strings.NewReader(in))
		readAll(t, r)
		if r.IsTelnet() != want {
			t.Errorf("%q: %v", in, r.IsTelnet())
		}
	}
}

func TestFilterCRLF(t *testing.T) {
	r := NewReader(strings.NewReader("\xff\xf6"))
	r.SetCRLF(true)
	if _, replies := readAll(t, r); string(replies) != "[yes]\r\n" {
		t.Errorf("got %q", replies)
	}
}

// However many questions come, the answers that wait are few.
func TestFilterRepliesAreBounded(t *testing.T) {
	var in []byte
	for range 3 {
		for opt := range 256 {
			in = append(in, iac, iacDO, byte(opt), iac, iacWILL, byte(opt), iac, iacAYT, iac, iacDO, optTimingMark)
		}
	}
	var f Filter
	for range 100 {
		f.Apply(bytes.Clone(in), 0)
	}
	if f.marks = f.marks[:0]; cap(f.marks) > 2*maxMarks {
		t.Errorf("room for %d marks", cap(f.marks))
	}
	for range 2 * maxMarks {
		f.Apply([]byte{iac, iacDO, optTimingMark}, 0)
	}
	const bound = 255*3 + 256*3 + len("[yes]\n")
	if got := f.takeReplies(nil); len(got) != bound || len(f.marks) != maxMarks {
		t.Errorf("%d bytes of replies, want %d; %d marks", len(got), bound, len(f.marks))
	}
	f.Apply(bytes.Clone(in), 0)
	if got := f.takeReplies(nil); len(got) != len("[yes]\n") || len(f.marks) != maxMarks {
		t.Errorf("%d bytes of replies, %d marks", len(got), len(f.marks))
	}
}

// neutral are the sequences that leave no trace in the stream.
var neutral = []string{
	"\xff\xf1", "\xff\xf2", "\xff\xf6", "\xff\xf9", "\xff\xf0", "\xff\xfd\x06", "\xff\xfb\x01", "\xff\xfe\x03",
	"\xff\xfc\xff", "\xff\xfd\x0a", "\xff\xfa\xff\xf0", "\xff\xfa\x1f\x00\x50\xff\xff\x0a\x03\xff\xf0",
}

// A stream with sequences put in anywhere and cut anywhere is the clean stream.
func FuzzFilter(f *testing.F) {
	f.Add([]byte("SET a \xff\xffb\r\nGET a\r\x00"), []byte{3, 11, 0, 2, 4, 7, 1, 1, 9})
	f.Add([]byte("\xff\xff\xff\x00\n"), []byte{0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6})
	f.Fuzz(func(t *testing.T, clean, plan []byte) {
		clean = bytes.ReplaceAll(clean, []byte{ctrlC}, []byte{'c'})
		var stream []byte
		for i, c := range clean {
			if i < len(plan) {
				stream = append(stream, neutral[int(plan[i])%len(neutral)]...)
			}
			stream = append(stream, c)
			if c == iac {
				stream = append(stream, iac)
			}
		}
		var filter Filter
		var got []byte
		for len(stream) > 0 {
			n := len(stream)
			if len(plan) > 0 {
				n = min(n, int(plan[0]%8)+1)
				plan = plan[1:]
			}
			from := len(got)
			got = append(got, stream[:n]...)
			stream = stream[n:]
			n, low, head := filter.Apply(got, from)
			if low != from || head {
				t.Fatalf("went back to %d, head %v", low, head)
			}
			got = got[:n]
		}
		if !bytes.Equal(got, clean) {
			t.Errorf("got %q, want %q", got, clean)
		}
	})
}
