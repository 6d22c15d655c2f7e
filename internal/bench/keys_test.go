package bench

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Each rank comes as often as its weight says: chi-squared, with bounds that a right sampler exceeds once in a million.
func TestZipf(t *testing.T) {
	const n, draws = 50, 400_000
	for _, exponent := range []float64{0.5, 0.99, 1, 1.2, 3} {
		z := newZipf(n, exponent, rand.New(rand.NewPCG(7, 7)))
		var counts [n + 1]int
		for range draws {
			counts[z.rank()]++
		}
		sum := 0.0
		for k := 1; k <= n; k++ {
			sum += math.Pow(float64(k), -exponent)
		}
		chi, cells := 0.0, 0
		for k := 1; k <= n; k++ {
			want := draws * math.Pow(float64(k), -exponent) / sum
			if want < 5 {
				continue
			}
			chi += (float64(counts[k]) - want) * (float64(counts[k]) - want) / want
			cells++
		}
		if most := float64(cells) + 5*math.Sqrt(2*float64(cells)) + 10; chi > most || counts[0] > 0 {
			t.Errorf("exponent %v: chi-squared %.1f of %d cells, at most %.1f: %v", exponent, chi, cells, most, counts)
		}
	}
}

// Of many keys the first one has its share too, and all draws are keys.
func TestZipfOfMany(t *testing.T) {
	const n, draws = 1_000_000, 200_000
	k := newKeys(n, 0.99, rand.New(rand.NewPCG(1, 2)))
	hot, first := scatter(1, n), 0
	for range draws {
		key := k.next()
		if key >= n {
			t.Fatal(key)
		}
		if key == hot {
			first++
		}
	}
	sum := 0.0
	for i := 1; i <= n; i++ {
		sum += math.Pow(float64(i), -0.99)
	}
	if want := draws / sum; !near(first, int(want)) {
		t.Errorf("the first of %d came %d times, want %.0f", n, first, want)
	}
}

// Every rank has a key of its own.
func TestScatter(t *testing.T) {
	for _, n := range []uint64{1, 2, 1000, 65536} {
		seen := map[uint64]bool{}
		for rank := uint64(1); rank <= n; rank++ {
			key := scatter(rank, n)
			if key >= n || seen[key] {
				t.Fatalf("of %d: rank %d is %d", n, rank, key)
			}
			seen[key] = true
		}
	}
}

func TestKeyNames(t *testing.T) {
	for key, want := range map[int]string{0: "p:0000000000", 7: "p:0000000007", 1234567890: "p:1234567890", 999_999_999: "p:0999999999"} {
		if got := KeyName("p:", key); got != want {
			t.Errorf("%d is %s", key, got)
		}
	}
	if got := string(appendKey(nil, 42, true)); got != "n000000042" {
		t.Errorf("a counter is %s", got)
	}
}

func TestMixes(t *testing.T) {
	for text, want := range map[string]string{"get": "get=1", "set=2,get=8": "get=8,set=2", "incr=1,del=0": "incr=1"} {
		if m, err := ParseMix(text); err != nil || m.String() != want {
			t.Errorf("%s: %v, %v", text, m, err)
		}
	}
	for _, text := range []string{"", "get=0", "get=-1", "get=x", "drop", "get=1,get=1", "flushall", "get=2000000"} {
		if m, err := ParseMix(text); err == nil {
			t.Errorf("%q is %v", text, m)
		}
	}
	if !mix(t, "get").Reads() || mix(t, "set=1,incr=1").Reads() {
		t.Error("what reads")
	}
}

func TestSizes(t *testing.T) {
	for s, want := range map[Sizes][2]int{{5, 5}: {1, 5}, {1, 3}: {3, 3}, {16, 512 << 10}: {64, 512 << 10}, {1, 48 << 20}: {2, 48 << 20}} {
		all := s.steps()
		if len(all) != want[0] || all[0] != s.Min || all[len(all)-1] != want[1] {
			t.Errorf("%v: %v", s, all)
		}
	}
}

func BenchmarkDraw(b *testing.B) {
	for name, exponent := range map[string]float64{"uniform": 0, "zipf": 0.99} {
		b.Run(name, func(b *testing.B) {
			k := newKeys(1_000_000, exponent, rand.New(rand.NewPCG(1, 1)))
			for b.Loop() {
				k.next()
			}
		})
	}
}
