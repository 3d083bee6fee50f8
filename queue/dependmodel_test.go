package queue

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/muster-queue/muster/job"
)

// dmodel is who waits for whom, said as simply as possible: every step all is found
// out anew from the jobs.
type dmodel struct {
	jobs map[string]*djob
	// past is what a group without members was, by group name or key in quotes.
	past map[string]job.DepPast
}

type djob struct {
	key    string
	seq    job.Seq
	state  job.State // Absent, Complete, Buried, a held one, or Ready for all that waits
	due    job.Time
	ref    Ref
	groups []string
	on     []ddep
}

type ddep struct {
	job.Dependency
	latched bool
}

func (d *ddep) name() string {
	if d.OnGroup() {
		return d.Group
	}
	return fmt.Sprintf("%q", d.Key)
}

// members are the jobs that a dependency is on.
func (m *dmodel) members(name string) (all []*djob) {
	for _, j := range m.jobs {
		if j.state != job.Absent && (slices.Contains(j.groups, name) || fmt.Sprintf("%q", j.key) == name) {
			all = append(all, j)
		}
	}
	return all
}

func (m *dmodel) met(d *ddep) bool {
	var open, buried int
	all := m.members(d.name())
	for _, j := range all {
		switch j.state {
		case job.Complete:
		case job.Buried:
			buried++
		default:
			open++
		}
	}
	past := m.past[d.name()]
	switch {
	case d.latched || len(all) == 0 && past == job.DepReleased:
		return true
	case len(all) == 0 && past == job.DepNever:
		return d.IfAbsent == job.IfAbsentMet
	case open > 0:
		return false
	case d.Condition == job.ConditionAny:
		return true
	}
	return (buried > 0) == (d.Condition == job.ConditionFailed)
}

// waits reports whether a job waits for others.
func (m *dmodel) waits(j *djob) bool {
	for i := range j.on {
		if !m.met(&j.on[i]) {
			return true
		}
	}
	return false
}

// waiters are the live jobs that depend on a group or key.
func (m *dmodel) waiters(name string) (all []*djob) {
	for _, j := range m.jobs {
		for i := range j.on {
			if j.state.Live() && j.on[i].name() == name && !slices.Contains(all, j) {
				all = append(all, j)
			}
		}
	}
	return all
}

// settle forgets what is over: what was met for good, and the past of groups that have
// members again, or nobody who waits.
func (m *dmodel) settle() {
	for name := range m.past {
		if len(m.members(name)) > 0 || len(m.waiters(name)) == 0 {
			delete(m.past, name)
		}
	}
	for _, j := range m.jobs {
		for i := range j.on {
			if d := &j.on[i]; j.state.Live() && d.Static && m.met(d) {
				d.latched = true
			}
		}
	}
}

// circular reports whether a job with these groups and dependencies would wait for itself.
func (m *dmodel) circular(key string, groups []string, on []ddep) bool {
	seen := map[string]bool{}
	var reaches func(on []ddep) bool
	reaches = func(on []ddep) bool {
		for i := range on {
			name := on[i].name()
			if slices.Contains(groups, name) || name == fmt.Sprintf("%q", key) {
				return true
			}
			for _, j := range m.members(name) {
				if j.key != key && j.state.Live() && !seen[j.key] {
					seen[j.key] = true
					if reaches(j.on) {
						return true
					}
				}
			}
		}
		return false
	}
	return reaches(on)
}

// left notes the past of groups that a job leaves by being deleted.
func (m *dmodel) left(j *djob, past job.DepPast) {
	names := append(slices.Clone(j.groups), fmt.Sprintf("%q", j.key))
	j.state = job.Absent
	for _, name := range names {
		if len(m.members(name)) == 0 && len(m.waiters(name)) > 0 {
			m.past[name] = past
		}
	}
}

// dmachine drives a State and the model.
type dmachine struct {
	*fixture
	m *dmodel
	// prompt: after each step everybody is told. Otherwise what is met for a moment only
	// may not be noticed, and there are no static dependencies.
	prompt bool
}

func TestDependAgainstModel(t *testing.T) {
	for range 5 {
		rapid.Check(t, func(r *rapid.T) {
			k := &dmachine{fixture: newFixture(t, Config{Retries: new(0), Losses: new(9)}), prompt: rapid.Bool().Draw(r, "prompt"),
				m: &dmodel{jobs: map[string]*djob{}, past: map[string]job.DepPast{}}}
			k.t = failer{t, r}
			k.Begin(start)
			for _, key := range []string{"a", "b", "c", "d", "e", "f"} {
				k.m.jobs[key] = &djob{key: key}
			}
			r.Repeat(map[string]func(*rapid.T){
				"add": k.addAny, "add2": k.addAny, "add3": k.addAny, "addWhole": k.addWhole, "modify": k.modifyAny,
				"grant": k.grantAny, "grant2": k.grantAny, "end": k.endAny, "end2": k.endAny, "kick": k.kickAny,
				"cancel": k.cancelAny, "delete": k.deleteAny, "deleteFinished": k.deleteDone,
				"time": func(*rapid.T) { k.pass(10 * time.Second) }, "some": func(*rapid.T) { k.Resolve(1) },
				"reload": func(*rapid.T) { k.reload(); k.Begin(k.now) },
				"":       k.check,
			})
		})
	}
}

// failer is the part of testing.TB that a fixture needs, with rapid's way to fail.
type failer struct {
	testing.TB
	r *rapid.T
}

func (f failer) Helper()                      {}
func (f failer) Fatal(args ...any)            { f.r.Fatal(args...) }
func (f failer) Fatalf(s string, args ...any) { f.r.Fatalf(s, args...) }

func (k *dmachine) pick(r *rapid.T) *djob {
	return k.m.jobs[rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"}).Draw(r, "key")]
}

func (k *dmachine) describeAny(r *rapid.T, key string) (job.Job, []ddep) {
	names := []string{"g", "h", "i"}
	j := data(key)
	j.DepGroups = rapid.SliceOfNDistinct(rapid.SampledFrom(names), 0, 2, rapid.ID).Draw(r, "groups")
	for range rapid.IntRange(0, 2).Draw(r, "dependencies") {
		d := job.Dependency{
			Condition: job.Condition(rapid.IntRange(0, 2).Draw(r, "condition")),
			Static:    k.prompt && rapid.Bool().Draw(r, "static"),
			IfAbsent:  job.IfAbsent(rapid.IntRange(0, 1).Draw(r, "if absent")),
		}
		if rapid.Bool().Draw(r, "on a group") {
			d.Group = rapid.SampledFrom(names).Draw(r, "group")
		} else {
			d.Key = job.Key(rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"}).Draw(r, "on key"))
		}
		j.Dependencies = append(j.Dependencies, d)
	}
	if rapid.IntRange(0, 4).Draw(r, "later") == 0 {
		j.NotBefore = k.now.Add(15 * time.Second).Std()
	}
	var on []ddep
	for _, d := range j.Dependencies {
		on = append(on, ddep{Dependency: d})
	}
	return j, on
}

// keepLatches keeps what the job's static dependencies came to, where they stay.
func keepLatches(was, on []ddep) []ddep {
	for i := range on {
		for _, d := range was {
			if d.latched && on[i].Static && d.name() == on[i].name() && d.Condition == on[i].Condition {
				on[i].latched = true
			}
		}
	}
	return on
}

func (k *dmachine) addAny(r *rapid.T) {
	k.commit()
	d := k.pick(r)
	j, on := k.describeAny(r, d.key)
	o := AddOptions{Existing: rapid.SampledFrom([]job.Existing{job.ExistingKeep, job.ExistingReplace, job.ExistingRerun}).Draw(r, "existing")}
	a := k.Add([]Prepared{k.prepared(j)}, o)[0]
	fresh := d.state == job.Absent || d.state == job.Complete && o.Existing != job.ExistingKeep
	replaced := d.state.Live() && o.Existing == job.ExistingReplace
	if !fresh && !replaced {
		if a.Status != AddExisted {
			r.Fatalf("added: %+v, want existed", a)
		}
		return
	}
	if k.refused(r, a.Err, d.key, j.DepGroups, on) {
		return
	}
	if replaced {
		on = keepLatches(d.on, on)
	} else if d.state == job.Complete {
		k.m.left(d, job.DepComplete) // unless it comes back into its groups
	}
	d.groups, d.on, d.seq = j.DepGroups, on, a.Seq
	if !d.state.Held() {
		d.state, d.due = job.Ready, job.TimeOf(j.NotBefore)
	}
}

// addWhole adds new jobs of which the last is refused: nothing has changed then.
func (k *dmachine) addWhole(r *rapid.T) {
	k.commit()
	var all []Prepared
	for _, key := range []string{"a", "b", "c", "d", "e", "f"} {
		if k.m.jobs[key].state == job.Absent {
			j, _ := k.describeAny(r, key)
			all = append(all, k.prepared(j))
		}
	}
	j := data("itself")
	j.Dependencies = []job.Dependency{{Key: "itself"}}
	events := len(k.Events())
	added := k.Add(append(all, k.prepared(j)), AddOptions{Whole: true})
	if last := added[len(added)-1]; last.Status != AddRefused {
		r.Fatalf("added: %+v", last)
	}
	if len(k.Events()) != events {
		r.Fatalf("it is told what did not happen: %+v", k.Events()[events:])
	}
}

// refused checks that a cycle is refused, and nothing else.
func (k *dmachine) refused(r *rapid.T, err error, key string, groups []string, on []ddep) bool {
	var cycle *Cycle
	if want := k.m.circular(key, groups, on); want != errors.As(err, &cycle) || !want && err != nil {
		r.Fatalf("%v; want a cycle: %v", err, want)
	}
	if cycle != nil && (len(cycle.Path) < 2 || cycle.Path[0] != cycle.Path[len(cycle.Path)-1]) {
		r.Fatalf("this is no way round: %v", cycle)
	}
	return err != nil
}

func (k *dmachine) modifyAny(r *rapid.T) {
	d := k.pick(r)
	if !d.state.Live() {
		r.Skip("not live")
	}
	k.commit()
	j, on := k.describeAny(r, d.key)
	p := k.prepared(j)
	p.Redue = true
	if k.refused(r, k.Modify(d.seq, &p), d.key, j.DepGroups, on) {
		return
	}
	d.groups, d.on = j.DepGroups, keepLatches(d.on, on)
	if d.state == job.Ready {
		d.due = job.TimeOf(j.NotBefore)
	}
}

func (k *dmachine) grantAny(r *rapid.T) {
	d := k.pick(r)
	if !d.state.Live() {
		r.Skip("not live")
	}
	g, ok := k.Grant(d.seq, k.puller, time.Hour, false)
	if want := d.state == job.Ready && !k.m.waits(d) && d.due <= k.now; ok && !want {
		r.Fatalf("job %s was granted, but waits", d.key)
	} else if ok {
		d.state, d.ref, d.due = job.Reserved, g.Ref, 0
	}
}

func (k *dmachine) endAny(r *rapid.T) {
	d := k.pick(r)
	if !d.state.Held() {
		r.Skip("not held")
	}
	e := &End{Ref: d.ref, How: How(rapid.IntRange(1, 3).Draw(r, "how"))}
	if _, err := k.End(e); err != nil {
		r.Fatal(err)
	}
	switch e.How {
	case Completed:
		d.state = job.Complete
	case Failed:
		d.state = job.Buried
	default:
		d.state = job.Ready
	}
}

func (k *dmachine) kickAny(r *rapid.T) {
	d := k.pick(r)
	if d.state != job.Buried {
		r.Skip("not buried")
	}
	k.do(k.Kick(d.seq))
	d.state, d.due = job.Ready, 0
}

func (k *dmachine) cancelAny(r *rapid.T) {
	d := k.pick(r)
	if d.state != job.Ready {
		r.Skip("does not wait")
	}
	_, err := k.Cancel(d.seq)
	k.do(err)
	d.state = job.Buried
}

func (k *dmachine) deleteAny(r *rapid.T) {
	d, with := k.pick(r), k.pick(r)
	if !d.state.Live() {
		r.Skip("not live")
	}
	o := DeleteOptions{Force: true, Release: rapid.IntRange(0, 2).Draw(r, "release") == 0}
	if with != d && with.state.Live() && rapid.Bool().Draw(r, "with another") {
		o.Going = &Going{Goes: func(seq job.Seq) bool { return seq == with.seq }}
	}
	err := k.DeleteWith(d.seq, o)
	if want := !o.Release && k.awaited(d, with, o.Going != nil); want != (err != nil) || err != nil && job.KindOf(err) != job.Conflict {
		r.Fatalf("delete %s: %v; want a refusal: %v", d.key, err, want)
	}
	if err != nil {
		return
	}
	if o.Going == nil || o.Release {
		k.m.left(d, job.DepReleased)
	} else {
		k.m.left(d, job.DepNever)
	}
}

// awaited reports whether a job waits for d in vain should it be deleted.
func (k *dmachine) awaited(d, with *djob, together bool) bool {
	for _, j := range k.m.jobs {
		if !j.state.Live() || j.state.Held() || j == d || together && j == with {
			continue
		}
		for i := range j.on {
			on := &j.on[i]
			if !k.m.met(on) && slices.Contains(k.m.members(on.name()), d) {
				return true
			}
		}
	}
	return false
}

func (k *dmachine) deleteDone(r *rapid.T) {
	k.commit()
	d := k.pick(r)
	if d.state != job.Complete {
		r.Skip("not complete")
	}
	for _, f := range k.shelf.finished {
		if f.Seq == d.seq {
			k.do(k.DeleteFinished(&f))
			k.m.left(d, job.DepComplete)
			return
		}
	}
	r.Fatalf("job %s is not in history", d.key)
}

// check compares all jobs, once everybody was told.
func (k *dmachine) check(r *rapid.T) {
	k.m.settle()
	if !k.prompt && rapid.Bool().Draw(r, "not yet") {
		return
	}
	for k.Resolve(3) {
	}
	k.commit()
	for _, d := range k.m.jobs {
		want := d.state
		if want == job.Ready && k.m.waits(d) {
			want = job.Blocked
		} else if want == job.Ready && d.due > k.now {
			want = job.Delayed
		}
		l, _ := k.Lookup(job.DigestOf(job.DefaultQueue, job.Key(d.key)))
		if want == job.Complete {
			want = job.Absent
		}
		if l.State != want {
			r.Fatalf("job %s is %v, want %v", d.key, l.State, want)
		}
		if !d.state.Live() {
			continue
		}
		for i, w := range k.Waits(d.seq) {
			if w.Met != k.m.met(&d.on[i]) {
				r.Fatalf("job %s: dependency %d is met: %v", d.key, i, w.Met)
			}
		}
	}
	var ready mirror
	ready.reset()
	checkDepends(r, k.State)
}

// checkDepends recounts the ties.
func checkDepends(t fataler, s *State) {
	t.Helper()
	ties, named := 0, 0
	for slot := uint32(1); slot < uint32(len(s.recs.chunks)*chunkSize); slot++ {
		if !s.recs.has(slot) || !s.recs.at(slot).linked {
			continue
		}
		var unmet, waits uint16
		var above, below int64 = -1 << 62, 1 << 62
		l := s.dep.link(slot)
		for i := l.first; i != 0; {
			x := s.dep.ties.at(i)
			ties++
			g := s.dep.groups.at(x.group)
			if x.job != slot {
				t.Fatalf("tie %d is of job %d, in the list of %d", i, x.job, slot)
			}
			if x.member {
				below = min(below, g.level)
			} else {
				above = max(above, g.level)
				waits++
				if !x.met {
					unmet++
				}
			}
			i = x.next
		}
		if unmet != l.unmet || waits != l.waits {
			t.Fatalf("job %d waits for %d, unmet %d; recounted %d and %d", slot, l.waits, l.unmet, waits, unmet)
		}
		if above >= below {
			t.Fatalf("job %d waits for level %d and is on level %d", slot, above, below)
		}
	}
	if ties != s.dep.ties.used {
		t.Fatalf("%d ties, recounted %d", s.dep.ties.used, ties)
	}
	for _, slot := range s.dep.byID {
		g := s.dep.groups.at(slot)
		if g.named {
			named++
		}
		var n [2]uint32
		for list := range n {
			for i := g.members[list]; i != 0; i = s.dep.ties.at(i).after {
				n[list]++
			}
		}
		if n != g.n || g.unused() {
			t.Fatalf("group %d has %v members, recounted %v; unused: %v", g.id, g.n, n, g.unused())
		}
	}
	if len(s.dep.byID) != s.dep.groups.used || len(s.dep.byName) != named || len(s.dep.names) != named || len(s.dep.byDigest) != len(s.dep.byID)-named {
		t.Fatalf("%d groups, %d by number, %d and %d named, %d by key", s.dep.groups.used, len(s.dep.byID), named, len(s.dep.byName), len(s.dep.byDigest))
	}
}
