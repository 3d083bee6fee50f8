package schedule

import (
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/muster-queue/muster/job"
)

// modelLimit is a limit that was set, and when units of a rate were granted.
type modelLimit struct {
	job.Limit
	starts []job.LimitStart
}

// used is how many units of a limit are held.
func (m *model) used(name string) (n int64) {
	for _, h := range m.held {
		for _, u := range h.limits {
			if u.Name == name {
				n += u.Units()
			}
		}
	}
	return n
}

// started is how many units were granted in the last period.
func (m *model) started(l *modelLimit) (n int64) {
	for _, s := range l.starts {
		if s.At.Add(l.Period) > m.now {
			n += s.Units
		}
	}
	return n
}

// lets reports whether the limit lets a job start now.
func (m *model) lets(u job.LimitUse) bool {
	l := m.limits[u.Name]
	if l == nil {
		return true
	}
	hours := job.HoursOf(l.Windows)
	switch {
	case !hours.Open(m.now):
		return false
	case l.Max == job.AnyNumber:
		return true
	case l.Period > 0:
		return m.started(l)+u.Units() <= l.Max
	}
	return m.used(u.Name)+u.Units() <= l.Max
}

// may reports whether queue and limits let a job of the shape start now.
func (m *model) may(sh job.Shape) bool {
	for _, u := range sh.Limits {
		if !m.lets(u) {
			return false
		}
	}
	return m.open(sh.Queue)
}

// timed reports whether time plays a part in the shape's limits.
func (m *model) timed(sh job.Shape) bool {
	for _, u := range sh.Limits {
		if l := m.limits[u.Name]; l != nil && (l.Period > 0 || len(l.Windows) > 0) {
			return true
		}
	}
	return false
}

// use notes a grant.
func (m *model) use(uses []job.LimitUse) {
	for _, u := range uses {
		if l := m.limits[u.Name]; l != nil && l.Period > 0 {
			l.starts = append(l.starts, job.LimitStart{At: m.now, Units: u.Units()})
		}
	}
}

// unuse takes back what was granted last.
func (m *model) unuse(uses []job.LimitUse) {
	for _, u := range uses {
		l := m.limits[u.Name]
		if l == nil || l.Period == 0 {
			continue
		}
		l.starts = slices.DeleteFunc(l.starts, func(s job.LimitStart) bool { return s.At.Add(l.Period) <= m.now })
		for n := u.Units(); n > 0 && len(l.starts) > 0; n-- {
			last := &l.starts[len(l.starts)-1]
			if last.Units--; last.Units == 0 {
				l.starts = l.starts[:len(l.starts)-1]
			}
		}
	}
}

var limitNames = []string{"a", "b", "c"}

func drawLimits(t *rapid.T) (uses []job.LimitUse) {
	for _, name := range limitNames {
		if rapid.IntRange(0, 3).Draw(t, "limit "+name) == 0 {
			uses = append(uses, job.LimitUse{Name: name, Weight: rapid.Int64Range(0, 3).Draw(t, "weight")})
		}
	}
	return uses
}

// setLimit sets, changes or removes a limit.
func (w *twin) setLimit(t *rapid.T) {
	name := rapid.SampledFrom(limitNames).Draw(t, "name")
	l := job.Limit{Name: name, Max: rapid.SampledFrom([]int64{0, 1, 2, 4, 7}).Draw(t, "max")}
	old := w.m.limits[name]
	switch rapid.IntRange(0, 4).Draw(t, "sort") {
	case 0:
		if w.s.DropLimit(name) != (old != nil) {
			t.Fatalf("limit %s was there, or was not", name)
		}
		delete(w.m.limits, name)
		return
	case 1:
		l.Period = time.Duration(rapid.SampledFrom([]int{3, 20, 45}).Draw(t, "period")) * time.Second
	case 2:
		from := w.m.now.Add(time.Duration(rapid.IntRange(-30, 30).Draw(t, "from")) * time.Second)
		l.Windows = []job.Window{{Since: from, Until: from.Add(time.Duration(rapid.IntRange(1, 60).Draw(t, "for")) * time.Second)}}
		if rapid.Bool().Draw(t, "any number") {
			l.Max = job.AnyNumber
		}
	}
	w.s.Advance(w.m.now)
	w.s.SetLimit(&l)
	kept := &modelLimit{Limit: l}
	if old != nil && old.Period > 0 && l.Period > 0 {
		// What was over by the old period came back.
		for _, s := range old.starts {
			if s.At.Add(old.Period) > w.s.now {
				kept.starts = append(kept.starts, s)
			}
		}
	}
	w.m.limits[name] = kept
}

// checkLimits compares what both know of limits.
func (w *twin) checkLimits(t *rapid.T) {
	for name, l := range w.s.limits {
		if l.used != w.m.used(name) || l.known != (w.m.limits[name] != nil) {
			t.Fatalf("limit %s: %d in use, known %v; want %d", name, l.used, l.known, w.m.used(name))
		}
		if l.due != 0 && w.s.timed[l.timed] != l {
			t.Fatalf("limit %s is filed in the wrong place", name)
		}
		sum := int64(0)
		for _, s := range l.starts {
			sum += s.Units
		}
		if sum != l.started || l.known && l.Rate() && l.started > 0 && l.starts[len(l.starts)-1].At > w.s.now {
			t.Fatalf("limit %s: %d started, of %v", name, l.started, l.starts)
		}
	}
	for _, set := range w.s.limitSets {
		shuts, ready := 0, int64(0)
		for i := range set.parts {
			p := &set.parts[i]
			if p.weight > p.room {
				shuts++
			}
			if at, found := p.find(p.weight); !found || p.uses[at].sets[p.at] != set {
				t.Fatalf("a set of limit %s is not where it is looked for", p.Name)
			}
		}
		for _, l := range set.lanes {
			l.shapes.each(func(o *offer) {
				if o.last() {
					ready += int64(o.shape.items.len())
				}
			})
		}
		if set.shuts != shuts || set.ready != ready {
			t.Fatalf("a set is shut by %d limits and has %d ready, want %d and %d", set.shuts, set.ready, shuts, ready)
		}
	}
}
