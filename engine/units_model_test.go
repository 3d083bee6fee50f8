package engine

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-queue/muster/job"
)

// unitModel is a queue of units as anybody would write it who has time.
type unitModel struct {
	t     *testing.T
	b     *bench
	rnd   *rand.Rand
	units map[job.Key]*modelUnit
	ended int // counts completions
	keep  int64
}

type modelUnit struct {
	state    job.State
	priority float64
	data     string
	grant    Grant
	until    time.Time // of its lease, or of its delay
	end      int
}

// unitKeys are few, with long common beginnings, so that they meet often.
var unitKeys = func() (keys []job.Key) {
	for _, a := range []string{"", "\x00", "a long common beginning/", "a long common beginning/0", "\xff\xfe"} {
		for _, z := range []string{"", "a", "a\x00", "b", "bb"} {
			keys = append(keys, job.Key(a+z))
		}
	}
	return keys
}()

// TestUnitsAgainstModel gives a namespace and the model the same random commands:
// adding, work, time, deleting, prioritising, pruning, restarts, lost commits.
func TestUnitsAgainstModel(t *testing.T) {
	seeds := 60
	if testing.Short() {
		seeds = 10
	}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) {
			defer func() {
				if t.Failed() {
					t.Logf("seed %d", seed)
				}
			}()
			m := &unitModel{t: t, b: setup(t, Config{}), rnd: rand.New(rand.NewPCG(uint64(seed), 1)), units: map[job.Key]*modelUnit{}, keep: -1}
			unitQueue(t, m.b, job.Queue{Name: "u"})
			steps := []func(){m.add, m.add, m.add, m.reserve, m.reserve, m.report, m.report, m.pass, m.delete, m.prioritise, m.prune, m.restart, m.lose}
			for range 150 {
				steps[m.rnd.IntN(len(steps))]()
				m.settle()
				m.check()
			}
			if _, err := m.b.ns.DeleteQueue(t.Context(), "u", true); err != nil {
				t.Fatal(err)
			}
			if c := m.b.counts(t); c.Total() != 0 {
				t.Fatalf("after the queue is gone: %v", c)
			}
		})
	}
}

func (m *unitModel) key() job.Key { return unitKeys[m.rnd.IntN(len(unitKeys))] }

func (m *unitModel) someKeys() []job.Key {
	var keys []job.Key
	for range m.rnd.IntN(6) {
		keys = append(keys, m.key())
	}
	return keys
}

func (m *unitModel) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *unitModel) add() {
	existing := []job.Existing{job.ExistingKeep, job.ExistingReplace, job.ExistingRerun}[m.rnd.IntN(3)]
	for range 1 + m.rnd.IntN(4) {
		key, priority, data := m.key(), float64(m.rnd.IntN(3)), fmt.Sprint("data ", m.rnd.IntN(1e6))
		j := &job.Job{Queue: "u", Key: key, Priority: priority, Data: []byte(data)}
		_, err := m.b.ns.Add(m.t.Context(), AddRequest{Jobs: []*job.Job{j}, Existing: existing})
		m.must(err)
		switch u := m.units[key]; {
		case u == nil:
			m.units[key] = &modelUnit{state: job.Ready, priority: priority, data: data}
		case u.state == job.Complete && existing != job.ExistingKeep:
			*u = modelUnit{state: job.Ready, priority: priority, data: data}
		case existing == job.ExistingReplace:
			u.priority = priority
			if u.state != job.Reserved {
				u.state, u.data = job.Ready, data
			} else {
				m.next(u, data)
			}
		}
	}
}

// next gives a held unit data for its next attempt.
func (m *unitModel) next(u *modelUnit, data string) { u.grant.Data = []byte(data) }

// inOrder are the units in the order of keys.
func (m *unitModel) inOrder() []job.Key { return slices.Sorted(maps.Keys(m.units)) }

func (m *unitModel) reserve() {
	n := 1 + m.rnd.IntN(4)
	keys := slices.DeleteFunc(m.inOrder(), func(k job.Key) bool { return m.units[k].state != job.Ready })
	slices.SortStableFunc(keys, func(a, b job.Key) int { return cmp.Compare(m.units[b].priority, m.units[a].priority) })
	grants := m.b.reserve(m.t, ReserveRequest{N: n, Queues: []string{"u"}, Lease: time.Minute})
	if want := min(n, len(keys)); len(grants) != want {
		m.t.Fatalf("%d grants, want %d", len(grants), want)
	}
	for i, g := range grants {
		j, err := g.Job()
		m.must(err)
		if j.Key != keys[i] {
			m.t.Fatalf("grant %d is of %q, want %q", i, j.Key, keys[i])
		}
		u := m.units[j.Key]
		u.state, u.grant, u.until = job.Reserved, g, time.Now().Add(time.Minute)
		u.grant.Data = []byte(u.data)
	}
}

// held is a unit that a worker holds.
func (m *unitModel) held() *modelUnit {
	keys := slices.DeleteFunc(m.inOrder(), func(k job.Key) bool { return m.units[k].state != job.Reserved })
	if len(keys) == 0 {
		return nil
	}
	return m.units[keys[m.rnd.IntN(len(keys))]]
}

func (m *unitModel) report() {
	u := m.held()
	if u == nil {
		return
	}
	r := Report{Ref: refTo(u.grant), Kind: []ReportKind{ReportComplete, ReportComplete, ReportBury, ReportRelease}[m.rnd.IntN(4)]}
	own := u.grant.Data
	if m.rnd.IntN(2) == 0 {
		r.Data = fmt.Append(nil, "result ", m.rnd.IntN(1e6))
	}
	if r.Kind == ReportRelease && m.rnd.IntN(2) == 0 {
		r.Delay = new(30 * time.Second)
	}
	m.must(m.b.report(m.t, r).Err)
	switch {
	case r.Kind == ReportComplete:
		m.ended++
		u.state, u.end = job.Complete, m.ended
	case r.Kind == ReportBury:
		u.state = job.Buried
	case r.Delay != nil:
		u.state, u.until = job.Delayed, time.Now().Add(*r.Delay)
	default:
		u.state = job.Ready
	}
	if r.Kind == ReportRelease {
		u.data = string(own)
	} else if r.Data != nil {
		u.data = string(r.Data)
	}
}

// pass lets time go by: leases and delays end.
func (m *unitModel) pass() { time.Sleep(time.Duration(m.rnd.IntN(50)) * time.Second) }

// settle does what is due.
func (m *unitModel) settle() {
	for _, u := range m.units {
		if due := !u.until.After(time.Now()); due && u.state == job.Delayed {
			u.state = job.Ready
		} else if due && u.state == job.Reserved {
			u.state, u.data = job.Ready, string(u.grant.Data)
		}
	}
}

func (m *unitModel) selector() UnitsSelector {
	s := UnitsSelector{Queue: "u"}
	if m.rnd.IntN(2) == 0 {
		s.Keys = m.someKeys()
	}
	if m.rnd.IntN(2) == 0 {
		s.States = m.states()
	}
	if m.rnd.IntN(4) == 0 {
		s.After = new(m.key())
	}
	if m.rnd.IntN(3) == 0 && s.Keys == nil {
		s.Limit = 1 + m.rnd.IntN(4)
	}
	return s
}

func (m *unitModel) states() []job.State {
	states := []job.State{}
	for _, s := range []job.State{job.Ready, job.Delayed, job.Reserved, job.Buried, job.Complete} {
		if m.rnd.IntN(3) == 0 {
			states = append(states, s)
		}
	}
	return states
}

// selected are the keys that a selector selects.
func (m *unitModel) selected(s *UnitsSelector) []job.Key {
	if s.Keys == nil && s.States == nil && s.After == nil && s.Limit == 0 && !s.All {
		return nil
	}
	keys := slices.DeleteFunc(m.inOrder(), func(k job.Key) bool {
		return s.Keys != nil && !slices.Contains(s.Keys, k) || s.States != nil && !slices.Contains(s.States, m.units[k].state) ||
			s.After != nil && k <= *s.After
	})
	if s.Limit > 0 {
		keys = keys[:min(len(keys), s.Limit)]
	}
	return keys
}

func (m *unitModel) delete() {
	s := m.selector()
	keys := m.selected(&s)
	n, err := m.b.ns.DeleteUnits(m.t.Context(), s)
	m.must(err)
	if int(n) != len(keys) {
		m.t.Fatalf("%+v deleted %d, want %d", s, n, len(keys))
	}
	for _, key := range keys {
		if u := m.units[key]; u.state == job.Reserved {
			if a := m.b.report(m.t, Report{Ref: refTo(u.grant), Kind: ReportComplete}); a.Err == nil {
				m.t.Fatal("a report on a deleted unit was accepted")
			}
		}
		delete(m.units, key)
	}
}

func (m *unitModel) prioritise() {
	s := m.selector()
	keys := m.selected(&s)
	adjust := float64(m.rnd.IntN(5)) - 2.5
	var set *float64
	if m.rnd.IntN(2) == 0 {
		set = &adjust
	}
	m.must(m.b.ns.PrioritiseUnits(m.t.Context(), s, set, adjust))
	for _, key := range keys {
		if u := m.units[key]; set != nil {
			u.priority = adjust
		} else {
			u.priority += adjust
		}
	}
}

func (m *unitModel) prune() {
	m.keep = int64(m.rnd.IntN(6))
	// Without the rule, before and after, nothing is pruned in the background.
	m.must(m.b.ns.UpdateQueue(m.t.Context(), "u", func(q *job.Queue) { q.KeepFinished = &m.keep }))
	_, err := m.b.ns.Prune(m.t.Context(), "u")
	m.must(err)
	m.must(m.b.ns.UpdateQueue(m.t.Context(), "u", func(q *job.Queue) { q.KeepFinished = nil }))
	keys := slices.DeleteFunc(m.inOrder(), func(k job.Key) bool { return m.units[k].state != job.Complete })
	slices.SortFunc(keys, func(a, b job.Key) int { return cmp.Compare(m.units[b].end, m.units[a].end) })
	for _, key := range keys[min(len(keys), int(m.keep)):] {
		delete(m.units, key)
	}
}

func (m *unitModel) restart() {
	m.b.Stop(0)
	m.b.start(m.t, Config{})
	m.fresh()
}

// lose makes a commit fail: what it had did not happen, and everything is loaded
// again.
func (m *unitModel) lose() {
	m.b.store.failNext(errors.New("the disk is gone"))
	key := m.key()
	_, err := m.b.ns.Add(m.t.Context(), AddRequest{Jobs: []*job.Job{{Queue: "u", Key: key + "lost", Data: []byte("x")}}})
	if err == nil {
		m.t.Fatal("a lost commit was confirmed")
	}
	for {
		if _, err := m.b.ns.Counts(m.t.Context(), CountsRequest{}); err == nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	m.fresh()
}

// fresh gives every held unit the full lease that it has after a load.
func (m *unitModel) fresh() {
	for _, u := range m.units {
		if u.state == job.Reserved {
			u.until = time.Now().Add(time.Minute)
		}
	}
}

// check compares counts, pages of a random filter, and single units.
func (m *unitModel) check() {
	m.t.Helper()
	synctest.Wait()
	var want job.Counts
	for _, u := range m.units {
		want[u.state]++
	}
	if got := m.b.counts(m.t); got != want {
		m.t.Fatalf("counts %v, want %v", got, want)
	}
	var states []job.State
	if m.rnd.IntN(2) == 0 {
		states = m.states()
	}
	var list []string
	for _, key := range m.selected(&UnitsSelector{States: states, All: true}) {
		list = append(list, m.line(key, m.units[key]))
	}
	if d := cmp.Compare(strings.Join(m.pages(states, 1+m.rnd.IntN(8)), "\n"), strings.Join(list, "\n")); d != 0 {
		m.t.Fatalf("states %v:\n%q\nwant\n%q", states, m.pages(states, 100), list)
	}
	keys := append(m.someKeys(), "no such key")
	units, err := m.b.ns.Units(m.t.Context(), UnitsRequest{Queue: "u", Keys: keys})
	m.must(err)
	for i, u := range units {
		switch there := m.units[keys[i]]; {
		case (u == nil) != (there == nil):
			m.t.Fatalf("%q: %v, want %v", keys[i], u, there)
		case u != nil && m.describe(u) != m.line(keys[i], there):
			m.t.Fatalf("%q: %s, want %s", keys[i], m.describe(u), m.line(keys[i], there))
		}
	}
}

// pages reads all units in some states page by page.
func (m *unitModel) pages(states []job.State, size int) (list []string) {
	var after *job.Key
	for {
		page, err := m.b.ns.Units(m.t.Context(), UnitsRequest{Queue: "u", States: states, After: after, Limit: size})
		m.must(err)
		for _, u := range page {
			list = append(list, m.describe(u))
		}
		if len(page) < size {
			return list
		}
		after = &page[len(page)-1].Key
	}
}

func (m *unitModel) describe(u *Unit) string {
	return m.line(u.Key, &modelUnit{state: u.State, priority: u.Priority, data: string(u.Data())})
}

func (m *unitModel) line(key job.Key, u *modelUnit) string {
	return fmt.Sprintf("%q %v %v %q", key, u.state, u.priority, u.data)
}
