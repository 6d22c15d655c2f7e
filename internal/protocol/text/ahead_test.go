package text

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func TestGetsAhead(t *testing.T) {
	for in, want := range map[string]string{
		"":                                "",
		"GET a":                           "", // no line yet
		"GET a\n":                         "a",
		"get a\r\nGeT bc\nGET d\r\n":      "a bc d",
		"GET a\nSET b c\nGET d\n":         "a",
		"\nGET a\n":                       "",
		"GET\nGET a\n":                    "",
		"GET \nGET a\n":                   "",
		"GETV a\nGET a\n":                 "",
		"GET \r\nGET b\n":                 " b", // an empty key, which nobody has
		"GET \"a b\" c\nGET \xfe\n":       "\"a b\" c \xfe",
		strings.Repeat("GET k\n", 100):    "k k k k k k k k",
		"GET a\n" + "GET " + "b" + "\nGE": "a b",
	} {
		r := NewReader(strings.NewReader(in))
		if in != "" {
			if err := r.Fill(); err != nil {
				t.Fatal(err)
			}
		}
		before := r.Buffered()
		keys := r.GetsAhead(make([][]byte, 0, 8))
		if got := string(bytes.Join(keys, []byte(" "))); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
		if r.Buffered() != before {
			t.Errorf("%q: something was taken", in)
		}
	}
}

// Looking ahead changes no line, wherever it is done.
func FuzzGetsAhead(f *testing.F) {
	f.Add([]byte("GET a\r\nGET b\nGET"), byte(3))
	f.Fuzz(func(t *testing.T, in []byte, every byte) {
		lines := func(look bool) (all []string) {
			r := NewReader(bytes.NewReader(in))
			for n := byte(0); ; {
				line, event := r.Next()
				switch {
				case event == None:
					if r.Fill() != nil {
						return all
					}
				default:
					all = append(all, string(line))
				}
				if n++; look && every > 0 && n%every == 0 {
					r.GetsAhead(make([][]byte, 0, 4))
				}
			}
		}
		if got, want := lines(true), lines(false); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}
