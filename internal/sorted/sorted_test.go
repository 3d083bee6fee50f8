package sorted

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// word is what the lists of these tests have: ordered by a text that is not in it,
// then by n.
type word struct{ text, n int }

// words are an order by the texts, and how often one was looked at.
type words struct {
	texts []string
	looks int
}

func (w *words) text(v *word) string { w.looks++; return w.texts[v.text] }

func (w *words) compare(a, b word) int {
	return cmp.Or(strings.Compare(w.texts[a.text], w.texts[b.text]), cmp.Compare(a.n, b.n))
}

func (w *words) order(hints bool) *Order[word] {
	o := &Order[word]{Before: func(a, b *word) bool {
		return cmp.Or(strings.Compare(w.text(a), w.text(b)), cmp.Compare(a.n, b.n)) < 0
	}}
	if hints {
		o.Common = func(a, b *word) int { return Common([]byte(w.text(a)), []byte(w.text(b))) }
		o.Part = func(v *word, from int) uint64 { return Part([]byte(w.text(v)), from) }
	}
	return o
}

// texts are made of what makes hints hard: long beginnings in common, texts that
// are the beginning of others, zeros, few different ones.
func texts(t *rapid.T) []string {
	begin := rapid.SliceOfN(rapid.SampledFrom([]string{"", "\x00", "a", "a long beginning of many texts/", "a long beginning of some texts/\xff"}), 1, 4).Draw(t, "beginnings")
	rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	width := rapid.SampledFrom([]int{10, 300, 100_000}).Draw(t, "different")
	all := make([]string, 6000)
	for i := range all {
		end := fmt.Sprintf("%d", rnd.IntN(width))
		if rnd.IntN(20) == 0 {
			end = strings.Repeat("\x00", rnd.IntN(10))
		}
		all[i] = begin[rnd.IntN(len(begin))] + end
	}
	return all
}

// model is a list and the slice it must be equal to.
type model struct {
	list List[word]
	*words
	o    *Order[word]
	want []word
}

func (m *model) draw(t *rapid.T) (v word, at int, there bool) {
	v = word{rapid.IntRange(0, len(m.texts)-1).Draw(t, "text"), rapid.IntRange(0, 1).Draw(t, "n")}
	if len(m.want) > 0 && rapid.Bool().Draw(t, "a known one") {
		v = m.want[rapid.IntRange(0, len(m.want)-1).Draw(t, "at")]
	}
	at, there = slices.BinarySearchFunc(m.want, v, m.compare)
	return v, at, there
}

// grow pushes many, in some order.
func (m *model) grow(t *rapid.T) {
	rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 2))
	all := make([]word, rapid.SampledFrom([]int{1, 3, 100, 2000}).Draw(t, "many"))
	for i := range all {
		all[i] = word{rnd.IntN(len(m.texts)), rnd.IntN(2)}
	}
	switch rapid.SampledFrom([]string{"up", "down", "random"}).Draw(t, "order") {
	case "up":
		slices.SortFunc(all, m.compare)
	case "down":
		slices.SortFunc(all, func(a, b word) int { return m.compare(b, a) })
	}
	for _, v := range all {
		at, there := slices.BinarySearchFunc(m.want, v, m.compare)
		if m.list.Push(v, m.o) == there {
			t.Fatalf("pushed %v, which is there: %v", v, there)
		}
		if !there {
			m.want = slices.Insert(m.want, at, v)
		}
	}
}

// shrink takes a part out: from its beginning on, or here and there.
func (m *model) shrink(t *rapid.T) {
	from := rapid.IntRange(0, len(m.want)).Draw(t, "from")
	n := rapid.IntRange(0, len(m.want)-from).Draw(t, "many")
	step := rapid.SampledFrom([]int{1, 1, 2, 50}).Draw(t, "step")
	var kept []word
	for i, v := range m.want {
		if i < from || i >= from+n || (i-from)%step != 0 {
			kept = append(kept, v)
			continue
		}
		if was, found := m.list.Remove(&v, m.o); !found || m.compare(was, v) != 0 {
			t.Fatalf("removed %v: %v, %v", v, was, found)
		}
	}
	m.want = kept
}

func (m *model) pop(t *rapid.T) {
	for range rapid.IntRange(0, len(m.want)).Draw(t, "many") {
		if is, was := *m.list.Front(), m.list.Pop(); was != is || m.compare(was, m.want[0]) != 0 {
			t.Fatalf("popped %v, front is %v, want %v", was, is, m.want[0])
		}
		m.want = m.want[1:]
	}
}

func (m *model) remove(t *rapid.T) {
	v, at, there := m.draw(t)
	if _, found := m.list.Remove(&v, m.o); found != there {
		t.Fatalf("removed %v: %v, want %v", v, found, there)
	}
	if there {
		m.want = slices.Delete(m.want, at, at+1)
	}
}

func (m *model) look(t *rapid.T) {
	v, at, there := m.draw(t)
	if _, found := m.list.Find(&v, m.o); found != there {
		t.Fatalf("found %v: %v, want %v", v, found, there)
	}
	if n := m.list.Ahead(&v, m.o); n != at {
		t.Fatalf("%d are ahead, want %d", n, at)
	}
	if n := m.list.Lead(func(w *word) bool { return m.compare(*w, v) < 0 }); n != at {
		t.Fatalf("%d lead, want %d", n, at)
	}
	behind := m.want[at:]
	if there {
		behind = behind[1:]
	}
	behind = behind[:min(len(behind), 600)]
	var got []word
	m.list.Each(&v, m.o, func(w *word) bool {
		if len(got) < 600 {
			got = append(got, *w)
		}
		return len(got) < 600
	})
	if !slices.EqualFunc(got, behind, func(a, b word) bool { return m.compare(a, b) == 0 }) {
		t.Fatalf("behind %v: %v, want %v", v, got, behind)
	}
}

// refill fills another list with what this one has.
func (m *model) refill(*rapid.T) {
	m.list = List[word]{}
	m.list.Fill(m.want, m.o)
}

func (m *model) check(t *rapid.T) {
	if m.list.Len() != len(m.want) {
		t.Fatalf("%d things, want %d", m.list.Len(), len(m.want))
	}
	i := 0
	m.list.Each(nil, m.o, func(v *word) bool {
		if m.compare(*v, m.want[i]) != 0 {
			t.Fatalf("%v is the %d-th, want %v", *v, i, m.want[i])
		}
		i++
		return true
	})
	if i != len(m.want) {
		t.Fatalf("%d were visited, want %d", i, len(m.want))
	}
	for _, c := range m.list.chunks {
		if len(c.items) == 0 || len(c.items) > chunkSize || c.hints != nil && len(c.hints) != len(c.items) {
			t.Fatalf("a chunk has %d things and %d hints", len(c.items), len(c.hints))
		}
	}
}

// TestList holds lists, with hints and without, against sorted slices.
func TestList(t *testing.T) {
	for _, hints := range []bool{false, true} {
		t.Run(fmt.Sprintf("hints=%v", hints), rapid.MakeCheck(func(t *rapid.T) {
			m := &model{words: &words{texts: texts(t)}}
			m.o = m.order(hints)
			t.Repeat(map[string]func(*rapid.T){
				"grow": m.grow, "shrink": m.shrink, "pop": m.pop, "remove": m.remove, "look": m.look, "refill": m.refill, "": m.check,
			})
		}))
	}
}

// TestHintsSpareTexts: of a large list in no order, few texts are looked at for a
// push, but for those at the edge of a chunk.
func TestHintsSpareTexts(t *testing.T) {
	const n = 200_000
	w := &words{texts: make([]string, n)}
	list, o := List[word]{}, w.order(true)
	rnd := rand.New(rand.NewPCG(1, 2))
	for i, at := range rnd.Perm(n) {
		if i == n/2 {
			w.looks = 0
		}
		w.texts[at] = fmt.Sprintf("a long beginning/%09d", at*1000+rnd.IntN(1000))
		list.Push(word{text: at}, o)
	}
	if per := float64(w.looks) / (n / 2); per > 14 {
		t.Errorf("%.1f texts are looked at for a push; without hints it is %d", per, 2*17)
	} else {
		t.Logf("%.1f texts are looked at for a push", per)
	}
}

// BenchmarkPushPop is a list in order that things leave as fast as they come.
func BenchmarkPushPop(b *testing.B) {
	for _, n := range []int{1, 300, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			o := &Order[int]{Before: func(a, b *int) bool { return *a < *b }}
			var list List[int]
			for i := range b.N + n {
				list.Push(i, o)
				if i >= n {
					list.Pop()
				}
			}
		})
	}
}
