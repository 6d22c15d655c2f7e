package auth

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// model is the semaphore as a plain list: what waits, and when each queue has last come or been served.
// Nothing in it is fast, and there is nothing to keep in step.
type model struct {
	limit         int
	waiting       []entry // the oldest first
	touched       map[place]int
	now           int
	shared, early int
}

type entry struct {
	w     *waiter
	class int
	path  path
}

// place is a queue: a class and the first names of a path.
type place struct {
	class int
	depth int
	names path
}

func (e entry) place(depth int) place {
	p := place{class: e.class, depth: depth}
	copy(p.names[:], e.path[:depth])
	return p
}

// count is how many wait there.
func (m *model) count(p place) (n int) {
	for _, e := range m.waiting {
		if e.place(p.depth) == p {
			n++
		}
	}
	return n
}

func (m *model) crowded(class int) bool {
	addresses := map[place]bool{}
	for _, e := range m.waiting {
		if e.class == class {
			addresses[e.place(3)] = true
		}
	}
	return len(addresses) > fewAddresses
}

// share is what an entry's class shares its slots by.
func (m *model) share(e entry) place {
	if m.crowded(e.class) {
		return e.place(1)
	}
	return e.place(3)
}

// touch has all places of e come last; only new ones if it has not been served.
func (m *model) touch(e entry, served bool) {
	m.now++
	for depth := 1; depth <= 4; depth++ {
		if p := e.place(depth); served || m.count(p) == 0 {
			m.touched[p] = m.now
		}
	}
}

func (m *model) add(e entry) {
	m.touch(e, false)
	m.waiting = append(m.waiting, e)
}

// refuses reports whether a newcomer finds no waiter in a longer queue than its own would be.
func (m *model) refuses(n entry) bool {
	if len(m.waiting) < m.limit {
		return false
	}
	for _, e := range m.waiting {
		if m.yields(e, n) {
			return false
		}
	}
	return true
}

// yields reports whether e stands in a queue that is to make room for n.
func (m *model) yields(e, n entry) bool {
	own := m.share(n)
	if of := m.share(e); of != own {
		return claim(m.count(own)+1, n.class) < claim(m.count(of), e.class)
	}
	for depth := own.depth + 1; depth <= 4; depth++ {
		if of, mine := e.place(depth), n.place(depth); of != mine {
			return m.count(mine)+1 < m.count(of)
		}
	}
	return false
}

func (m *model) remove(w *waiter) (e entry) {
	i := slices.IndexFunc(m.waiting, func(e entry) bool { return e.w == w })
	e = m.waiting[i]
	m.waiting = slices.Delete(m.waiting, i, i+1)
	return e
}

// next is who has the next slot.
func (m *model) next() (next *waiter) {
	if len(m.waiting) == 0 {
		return nil
	}
	class := m.nextClass()
	in := slices.DeleteFunc(slices.Clone(m.waiting), func(e entry) bool { return e.class != class })
	first := 1
	if !m.crowded(class) {
		first = 3
	}
	for depth := first; depth <= 4; depth++ {
		oldest := slices.MinFunc(in, func(a, b entry) int { return m.touched[a.place(depth)] - m.touched[b.place(depth)] }).place(depth)
		in = slices.DeleteFunc(in, func(e entry) bool { return e.place(depth) != oldest })
	}
	m.touch(in[0], true)
	m.remove(in[0].w)
	return in[0].w
}

func (m *model) nextClass() int {
	var has [classCount]bool
	for _, e := range m.waiting {
		has[e.class] = true
	}
	if !has[knownClass] && !has[promptClass] {
		return lateClass
	}
	if has[lateClass] {
		if m.shared++; m.shared%4 == 0 {
			return lateClass
		}
	}
	if has[knownClass] && has[promptClass] {
		m.early++
		return []int{promptClass, knownClass}[m.early%2]
	}
	return slices.Index(has[:], true)
}

// both are a semaphore and its model, to which the same is done.
type both struct {
	t               *testing.T
	g               *semaphore
	m               *model
	refused, pushed int
}

func (b *both) join(r request) {
	n := entry{class: r.class, path: pathOf(r)}
	refuse := b.m.refuses(n)
	w, err := b.g.join(r)
	if (w == nil) != refuse {
		b.t.Fatalf("joining gave %v, the model refuses: %v", err, refuse)
	}
	if w == nil {
		b.refused++
		return
	}
	for _, e := range slices.Clone(b.m.waiting) {
		if e.w.line != nil {
			continue
		}
		b.pushed++
		if !b.m.yields(e, n) || <-e.w.called == nil {
			b.t.Fatalf("%v was pushed out for %v", e.path, n.path)
		}
		b.m.remove(e.w)
	}
	n.w = w
	b.m.add(n)
}

func (b *both) abandon(rng *rand.Rand) {
	if len(b.m.waiting) > 0 {
		w := b.m.waiting[rng.IntN(len(b.m.waiting))].w
		b.g.abandon(w)
		b.m.remove(w)
	}
}

func (b *both) call() {
	want := b.m.next()
	if want == nil {
		return
	}
	if b.g.release(); len(want.called) != 1 || <-want.called != nil {
		b.t.Fatal("another one was called")
	}
}

// Waiters come, give up and are called at random; the semaphore does as the model does.
func TestSemaphoreAgainstModel(t *testing.T) {
	const steps, limit = 6000, 60
	rng := rand.New(rand.NewPCG(3, 4))
	b := &both{t: t, g: newSemaphore(1, limit), m: &model{limit: limit, touched: map[place]int{}}}
	if w, err := b.g.join(request{}); w != nil || err != nil {
		t.Fatal(w, err)
	}
	grouped := 0
	for step := range steps {
		filling := step/500%2 == 0 // it fills, and then it empties
		switch some := rng.IntN(8); {
		case some == 0:
			b.abandon(rng)
		case filling && some < 6:
			b.join(someRequest(rng, 40))
		default:
			b.call()
		}
		b.g.check(t)
		if b.g.waiting != len(b.m.waiting) {
			t.Fatalf("step %d: %d wait, %d in the model", step, b.g.waiting, len(b.m.waiting))
		}
		for c := range b.g.classes {
			if b.g.classes[c].crowded() {
				grouped++
			}
		}
	}
	if grouped < steps/10 || b.refused < 50 || b.pushed < 50 {
		t.Errorf("too little was tried: %d times grouped, %d refused, %d pushed out", grouped, b.refused, b.pushed)
	}
}
