package fsm

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// sum is a row of what a real Redis replied.
type sum struct {
	value, increment string
	none             bool // there was no value
	text             string
	kind             Kind
}

func sums(t *testing.T) (all []sum) {
	b, err := os.ReadFile("testdata/incrbyfloat.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		var s sum
		var words []string
		for rest := line; rest != ""; rest = strings.TrimPrefix(rest, " ") {
			word, err := strconv.QuotedPrefix(rest)
			if err != nil {
				word, _, _ = strings.Cut(rest, " ")
			}
			words, rest = append(words, word), rest[len(word):]
		}
		s.none = words[0] == "none"
		s.value, _ = strconv.Unquote(words[0]) // none: it stays empty
		if s.increment, err = strconv.Unquote(words[1]); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		s.kind = map[string]Kind{"float": KindNotAFloat, "finite": KindNotFinite}[words[2]]
		if s.kind == KindNone {
			s.kind = KindValue
			if s.text, err = strconv.Unquote(words[2]); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
		}
		all = append(all, s)
	}
	if len(all) < 900 {
		t.Fatalf("%d rows", len(all))
	}
	return all
}

func TestIncrFloatIsThatOfRedis(t *testing.T) {
	n := withUser(t)
	for _, s := range sums(t) {
		before := Command{Op: OpDelete, User: 1, Words: words("k")}
		if !s.none {
			before = setFor("k", s.value, 60_000)
		}
		n.do(5, before)
		r := n.do(5, Command{Op: OpIncrFloat, User: 1, Key: []byte("k"), Value: []byte(s.increment)})[0]
		item, _ := n.Reader(1).Keyspace().Get([]byte("k"), 5)
		stored := s.value
		if s.kind == KindValue {
			stored = s.text
		}
		if r.Kind != s.kind || string(item.Value) != stored || (item.Deadline == 0) != s.none {
			t.Errorf("%.60q + %.60q: %.200s, stored %.60q with deadline %d; want kind %d %.60q", s.value, s.increment, inWords(r), item.Value, item.Deadline, s.kind, s.text)
		}
		if r.Kind == KindValue && (r.Details == nil || string(r.Details.Item.Value) != s.text || r.Details.Item.Version != item.Version) {
			t.Errorf("%.60q + %.60q: it returns %.200s", s.value, s.increment, inWords(r))
		}
	}
}

// What the gate and a transaction count for a sum is never less than its text.
func TestSumsAreNoLongerThanForeseen(t *testing.T) {
	for _, s := range sums(t) {
		if s.kind != KindValue {
			continue
		}
		if s.none {
			s.value = "0"
		}
		e, stores := computed(valueExtent([]byte(s.value), false), &Command{Op: OpIncrFloat, Value: []byte(s.increment)})
		if got := figureOf([]byte(s.text)); !stores || len(s.text) > e.value || got.digits > e.number.digits || e.number.most.less(got.most) && got.most.whole() > e.number.most.whole() {
			t.Errorf("%.60q + %.60q: %d bytes, %+v; foreseen %+v", s.value, s.increment, len(s.text), got, e)
		}
		_, longest := anyNumber.sum(figure{})
		if len(s.text) > longest {
			t.Errorf("%.60q + %.60q: %d bytes", s.value, s.increment, len(s.text))
		}
	}
}

// An exponent beyond all numbers costs no more than its text.
func TestHugeExponentsCostNothing(t *testing.T) {
	for _, text := range []string{"1e999999999", "1e-999999999", "0x1p999999999", "0x1p-999999999", "1e9999999999999999999999", strings.Repeat("1", numberText+1)} {
		if _, ok := parseNumber([]byte(text)); ok {
			t.Errorf("%.30s is taken for a number", text)
		}
		if got := testing.AllocsPerRun(10, func() { parseNumber([]byte(text)) }); got > 12 {
			t.Errorf("%.30s: %v allocations", text, got)
		}
	}
	if f := figureOf([]byte("0e999999999")); f.work() > 128 {
		t.Errorf("a zero is %+v", f)
	}
}

func FuzzNumber(f *testing.F) {
	for _, s := range []string{"1.5", "0x1.8p3", "-inf", "1e4932", "1e-4951", ".", "0x", "1e", "00012.50"} {
		f.Add([]byte(s), []byte("-0.1"))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		text, why := addNumbers(a, b)
		if why != KindNone {
			return
		}
		if _, ok := parseNumber(text); !ok {
			t.Fatalf("%q + %q is %q, which is no number", a, b, text)
		}
		if _, most := figureOf(a).sum(figureOf(b)); len(text) > most {
			t.Fatalf("%q + %q is %q, longer than %d", a, b, text, most)
		}
		// What was written is read as it is: a sum with 0 changes it only by rounding to 64 bits, which it has.
		if again, why := addNumbers(text, []byte("0")); why != KindNone || len(again) > len(text)+1 {
			t.Fatalf("%q + 0 is %q", text, again)
		}
	})
}
