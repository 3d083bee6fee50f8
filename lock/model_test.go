package lock

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/muster-queue/muster/job"
)

// model is the rules of locks in the fewest words: a list of what is held, each
// path a list of labels.
type model struct {
	locks []mlock
	now   job.Time
	max   int
}

type mlock struct {
	labels []string
	owner  string
	until  job.Time
}

func (m *model) expire() {
	m.locks = slices.DeleteFunc(m.locks, func(l mlock) bool { return l.until < m.now })
}

// related: one begins with the other.
func related(a, b []string) bool {
	n := min(len(a), len(b))
	return slices.Equal(a[:n], b[:n])
}

func (m *model) free(p []string) bool {
	return !slices.ContainsFunc(m.locks, func(l mlock) bool { return related(l.labels, p) })
}

func (m *model) put(p []string, owner string, until job.Time) {
	m.locks = slices.DeleteFunc(m.locks, func(l mlock) bool { return slices.Equal(l.labels, p) })
	m.locks = append(m.locks, mlock{p, owner, until})
	m.expire()
}

func (m *model) mine(p []string, owner string) bool {
	return slices.ContainsFunc(m.locks, func(l mlock) bool { return slices.Equal(l.labels, p) && l.owner == owner })
}

func (m *model) lease(d time.Duration) job.Time {
	switch {
	case d == 0:
		d = time.Minute
	case d > 1_000_000*time.Second:
		d = 1_000_000 * time.Second
	}
	return m.now.Add(d)
}

func (m *model) holders() map[string]string {
	all := map[string]string{}
	for _, l := range m.locks {
		all[strings.Join(l.labels, "/")] = l.owner
	}
	return all
}

// TestModel compares the tree with the model, and what would be loaded from its
// rows with both.
func TestModel(t *testing.T) {
	labels := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "a!", "a0"}), 0, 3)
	rapid.Check(t, func(t *rapid.T) {
		m := &model{max: rapid.IntRange(3, 12).Draw(t, "max")}
		tree := New(m.max)
		stored := map[string]job.LockRow{}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			step(t, m, tree, labels)
			tree.Expire(m.now, -1)
			for _, r := range tree.Take() {
				stored[r.Path] = r
				if r.Gone {
					delete(stored, r.Path)
				}
			}
			compare(t, m, tree, stored)
		}
	})
}

func step(t *rapid.T, m *model, tree *Tree, labels *rapid.Generator[[]string]) {
	m.now = m.now.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "seconds")) * time.Second)
	m.expire()
	paths := rapid.SliceOfN(labels, 0, 4).Draw(t, "paths")
	typed := make([]Path, len(paths))
	for i, p := range paths {
		typed[i] = Path(strings.Join(p, "/"))
	}
	owner := rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "owner")
	lease := rapid.SampledFrom([]time.Duration{0, -time.Second, time.Second, 30 * time.Second, 2 * MaxLease}).Draw(t, "lease")
	switch rapid.SampledFrom([]string{"lock", "some", "renew", "unlock", "remove"}).Draw(t, "do") {
	case "lock":
		agree(t, tree.Lock(m.now, owner, typed, lease), m.lock(paths, owner, lease))
	case "some":
		given, err := tree.LockSome(m.now, owner, typed, lease)
		want, fits := m.some(paths, owner, lease)
		agree(t, err, fits)
		if fits && !slices.Equal(given, want) {
			t.Fatalf("given %v, want %v", given, want)
		}
	case "renew":
		agree(t, tree.Renew(m.now, owner, typed, lease), m.renew(paths, owner, lease))
	case "unlock":
		agree(t, tree.Unlock(m.now, owner, typed), m.unlock(paths, owner))
	case "remove":
		for i := range paths {
			n, _ := tree.Remove(m.now, typed[i], true, 1000)
			if want := m.remove(paths[i]); n != want {
				t.Fatalf("removed %d under %q, want %d", n, typed[i], want)
			}
		}
	}
}

func agree(t *rapid.T, err error, ok bool) {
	if (err == nil) != ok {
		t.Fatalf("error %v, want success: %v", err, ok)
	}
}

func (m *model) lock(paths [][]string, owner string, lease time.Duration) bool {
	if len(m.locks)+len(paths) > m.max {
		return false
	}
	for _, p := range paths {
		if !m.free(p) {
			return false
		}
	}
	for _, p := range paths {
		m.put(p, owner, m.lease(lease))
	}
	return true
}

func (m *model) some(paths [][]string, owner string, lease time.Duration) ([]bool, bool) {
	if len(m.locks)+len(paths) > m.max {
		return nil, false
	}
	given := make([]bool, len(paths))
	for i, p := range paths {
		if given[i] = m.free(p); given[i] {
			m.put(p, owner, m.lease(lease))
		}
	}
	return given, true
}

func (m *model) renew(paths [][]string, owner string, lease time.Duration) bool {
	for _, p := range paths {
		if !m.mine(p, owner) {
			return false
		}
	}
	for _, p := range paths {
		m.put(p, owner, m.lease(lease))
	}
	return true
}

func (m *model) unlock(paths [][]string, owner string) bool {
	for _, p := range paths {
		if !m.mine(p, owner) {
			return false
		}
	}
	m.locks = slices.DeleteFunc(m.locks, func(l mlock) bool {
		return slices.ContainsFunc(paths, func(p []string) bool { return slices.Equal(p, l.labels) })
	})
	return true
}

func (m *model) remove(p []string) int {
	before := len(m.locks)
	m.locks = slices.DeleteFunc(m.locks, func(l mlock) bool {
		return len(l.labels) >= len(p) && slices.Equal(l.labels[:len(p)], p)
	})
	return before - len(m.locks)
}

func compare(t *rapid.T, m *model, tree *Tree, stored map[string]job.LockRow) {
	got, listed := map[string]string{}, []Path{}
	for _, h := range tree.List(m.now, "", nil, 1000) {
		got[string(h.Path)] = h.Owner
		listed = append(listed, h.Path)
	}
	if want := m.holders(); !maps.Equal(got, want) || !slices.IsSorted(listed) {
		t.Fatalf("held %v (in the order %v), want %v", got, listed, want)
	}
	if tree.Len() != len(got) || tree.due.Len() != len(got) {
		t.Fatalf("%d locks and %d deadlines of %d", tree.Len(), tree.due.Len(), len(got))
	}
	loaded := New(0)
	for _, r := range stored {
		loaded.Load(r)
	}
	if loaded.Len() != tree.Len() {
		t.Fatalf("stored %v, held %v", stored, got)
	}
}
