package schedule

import (
	"cmp"
	"slices"
	"strings"

	"github.com/muster-queue/muster/job"
)

// naive is quota scheduling for workers with one slot as anybody would write it
// from the rules, looking at every job and worker each time. What Scheduler does
// is compared with it.
type naive struct {
	now      int // seconds
	seed     uint64
	accounts map[string]*naiveAccount
	workers  map[job.WorkerID]job.Labels
	ready    []*naiveJob
	runs     []*naiveRun
	serves   int
	served   map[string]int
	preempt  bool
	limits   map[string]int64
}

type naiveAccount struct {
	Account
	value Balance
}

type naiveJob struct {
	seq      job.Seq
	shape    job.Shape
	priority float64
}

type naiveRun struct {
	*naiveJob
	worker job.WorkerID
	level  Level
	cost   Balance
	born   bool // in this pass
	// victim is what it waits for; stopped runs are victims.
	victim  job.Seq
	stopped bool
	ripe    bool
}

type naiveOutcome struct {
	placed    []Placement
	preempted []Preemption
	moves     []Move
}

func (n *naive) account(name string) *naiveAccount { return n.accounts[name] }

func (n *naive) level(name string) Level {
	if a := n.account(name); a != nil {
		return a.value.Level()
	}
	return Free
}

func (n *naive) update(now int) {
	elapsed := float64(now - n.now)
	n.now = now
	count := map[string]Balance{}
	for _, r := range n.runs {
		if r.level < Free && !r.stopped {
			r.cost[r.level] += elapsed
			c := count[r.shape.Account]
			c[r.level]++
			count[r.shape.Account] = c
		}
	}
	for name, a := range n.accounts {
		for p := range a.value {
			v := a.value[p] - elapsed*count[name][p]
			if limit := a.Rate[p] * a.Window.Seconds(); v < limit {
				v = min(limit, v+elapsed*a.Rate[p])
			}
			a.value[p] = v
		}
	}
}

func (n *naive) names() []string {
	seen := map[string]bool{}
	for name := range n.accounts {
		seen[name] = true
	}
	for _, j := range n.ready {
		seen[j.shape.Account] = true
	}
	var list []string
	for name := range seen {
		list = append(list, name)
	}
	slices.SortFunc(list, func(a, b string) int {
		return cmp.Or(cmp.Compare(n.served[a], n.served[b]), cmp.Compare(newAccount(a, n.seed).tie, newAccount(b, n.seed).tie))
	})
	return list
}

func fanoutKey(sh job.Shape) string {
	return strings.Join(append(sh.Labels.Sorted(), sh.Prefer...).Sorted(), ",")
}

// throttled reports whether the fan-out of the job is used up.
func (n *naive) throttled(j *naiveJob) bool {
	a := n.account(j.shape.Account)
	if a == nil || a.MaxFanout == 0 {
		return false
	}
	running := 0
	for _, r := range n.runs {
		if r.shape.Account == j.shape.Account && fanoutKey(r.shape) == fanoutKey(j.shape) {
			running++
		}
	}
	return running >= a.MaxFanout
}

func (n *naive) atLimit(j *naiveJob, w job.WorkerID) bool {
	a := n.account(j.shape.Account)
	if a == nil {
		return false
	}
	for _, l := range n.workers[w] {
		key, _, _ := strings.Cut(l, ":")
		limit, ok := a.LabelLimits[key]
		running := 0
		for _, r := range n.runs {
			if r.shape.Account == j.shape.Account && slices.Contains(n.workers[r.worker], l) {
				running++
			}
		}
		if ok && running >= limit {
			return true
		}
	}
	return false
}

// full reports whether a limit of the job has no room; what is being stopped counts,
// and so does what waits for that.
func (n *naive) full(j *naiveJob) bool {
	for _, u := range j.shape.Limits {
		used := u.Units()
		for _, r := range n.runs {
			for _, o := range r.shape.Limits {
				if o.Name == u.Name {
					used += o.Units()
				}
			}
		}
		if most, set := n.limits[u.Name]; set && used > most {
			return true
		}
	}
	return false
}

func (n *naive) idle(w job.WorkerID) bool {
	return !slices.ContainsFunc(n.runs, func(r *naiveRun) bool { return r.worker == w })
}

// sweeps is in which sweep the job is offered to any worker.
func sweeps(j *naiveJob) int {
	if j.shape.Prefer.SubsetOf(j.shape.Labels) {
		return 0
	}
	return 1
}

// match is the idle worker for a job in a sweep; zero if there is none.
func (n *naive) match(j *naiveJob, sweep int) (best job.WorkerID) {
	want := j.shape.Labels
	if sweep < sweeps(j) {
		want = slices.Concat(want, j.shape.Prefer)
	}
	for w, labels := range n.workers {
		if !n.idle(w) || !want.SubsetOf(labels) || n.atLimit(j, w) {
			continue
		}
		if best == 0 || cmp.Or(cmp.Compare(len(labels), len(n.workers[best])), cmp.Compare(w, best)) < 0 {
			best = w
		}
	}
	return best
}

// order compares the jobs of an account that are offered in sweeps.
func order(a *naiveJob, sweepA int, b *naiveJob, sweepB int) int {
	return cmp.Or(-cmp.Compare(a.priority, b.priority), cmp.Compare(sweepA, sweepB),
		-cmp.Compare(len(a.shape.Labels), len(b.shape.Labels)), cmp.Compare(a.seq, b.seq))
}

// best is the account's first job in the order of service that finds a worker, of
// those that may run at the level.
func (n *naive) best(name string, level, at Level) (first *naiveJob, sweep int, worker job.WorkerID) {
	for _, j := range n.ready {
		if j.shape.Account != name || n.full(j) || level < Free && n.throttled(j) || level == Free && at < Free && !n.throttled(j) {
			continue
		}
		for sw := 0; sw <= sweeps(j); sw++ {
			if first != nil && order(first, sweep, j, sw) <= 0 {
				continue
			}
			if w := n.match(j, sw); w != 0 {
				first, sweep, worker = j, sw, w
			}
		}
	}
	return first, sweep, worker
}

func (n *naive) take(j *naiveJob, r *naiveRun) {
	r.naiveJob, r.born = j, true
	n.ready = slices.DeleteFunc(n.ready, func(o *naiveJob) bool { return o == j })
	n.runs = append(n.runs, r)
	n.serves++
	n.served[j.shape.Account] = n.serves
}

// place places what can be placed at a level.
func (n *naive) place(level Level, levels map[string]Level, out *naiveOutcome) {
	for {
		var first *naiveJob
		var sweep int
		var worker job.WorkerID
		for _, name := range n.names() {
			a := n.account(name)
			if levels[name] != level && (level < Free || a == nil) || level == Free && a != nil && a.NoFree {
				continue
			}
			if j, sw, w := n.best(name, level, levels[name]); j != nil && (first == nil || sw < sweep) {
				first, sweep, worker = j, sw, w
			}
		}
		if first == nil {
			return
		}
		n.take(first, &naiveRun{worker: worker, level: level})
		out.placed = append(out.placed, Placement{Seq: first.seq, Worker: worker, Level: level})
	}
}

func byNaiveCost(a, b *naiveRun) int {
	switch {
	case a.cost.Less(b.cost):
		return -1
	case b.cost.Less(a.cost):
		return 1
	}
	return cmp.Compare(a.seq, b.seq)
}

func (n *naive) reprioritise(p Level, out *naiveOutcome) {
	for _, name := range n.names() {
		a := n.account(name)
		if a == nil {
			continue
		}
		var here, lower []*naiveRun
		for _, r := range n.runs {
			switch {
			case r.shape.Account != name || r.stopped:
			case r.level == p:
				here = append(here, r)
			case r.level > p:
				lower = append(lower, r)
			}
		}
		slices.SortFunc(here, byNaiveCost)
		slices.SortFunc(lower, byNaiveCost)
		slack := a.Rate[p] - float64(len(here))
		shift := func(r *naiveRun, to Level) {
			out.moves = append(out.moves, Move{Seq: r.seq, From: r.level, To: to, Cost: r.cost})
			r.level = to
		}
		for ; a.value[p] < -600 && slack < 0 && len(here) > 0; here, slack = here[1:], slack+1 {
			shift(here[0], p+1)
		}
		for ; a.value[p] > 600 && slack > 0 && len(lower) > 0; lower = lower[:len(lower)-1] {
			if dearest := lower[len(lower)-1]; dearest.level < Free || a.MaxFanout == 0 || n.paid(dearest) < a.MaxFanout {
				shift(dearest, p)
				slack--
			}
		}
	}
}

// paid is how many runs of the account are paid for that want the same labels.
func (n *naive) paid(r *naiveRun) (paid int) {
	for _, o := range n.runs {
		if o.shape.Account == r.shape.Account && fanoutKey(o.shape) == fanoutKey(r.shape) && o.level < Free && !o.stopped {
			paid++
		}
	}
	return paid
}

func (n *naive) preemptAt(p Level, levels map[string]Level, out *naiveOutcome) {
	banned := map[string]bool{}
	var victims []*naiveRun
	for _, r := range n.runs {
		if r.level <= p || r.stopped {
			continue
		}
		banned[r.shape.Account] = true
		if _, present := n.workers[r.worker]; !r.born && r.victim == 0 && !r.shape.NotPreemptible && present && !r.ripe {
			victims = append(victims, r)
		}
	}
	slices.SortFunc(victims, byNaiveCost)
	for _, v := range victims {
		for _, name := range n.names() {
			a := n.account(name)
			if levels[name] != p || a == nil || banned[name] || !v.cost.Less(a.value) {
				continue
			}
			if j := n.preemptor(name, v); j != nil {
				n.swap(v, j, p, out)
				break
			}
		}
	}
}

func (n *naive) preemptor(name string, v *naiveRun) (first *naiveJob) {
	for _, j := range n.ready {
		if j.shape.Account == name && !n.full(j) && !n.throttled(j) && !n.atLimit(j, v.worker) && j.shape.Labels.SubsetOf(n.workers[v.worker]) &&
			(first == nil || order(j, sweeps(j), first, sweeps(first)) < 0) {
			first = j
		}
	}
	return first
}

func (n *naive) swap(v *naiveRun, j *naiveJob, p Level, out *naiveOutcome) {
	if a := n.account(v.shape.Account); a != nil {
		a.value = a.value.Add(v.cost)
	}
	a := n.account(j.shape.Account)
	a.value = a.value.Sub(v.cost)
	out.preempted = append(out.preempted, Preemption{Worker: v.worker, Victim: v.seq, Seq: j.seq, Level: p, Cost: v.cost, Was: v.level})
	v.stopped = true
	n.take(j, &naiveRun{worker: v.worker, level: p, cost: v.cost, victim: v.seq})
}

func (n *naive) pass(now int) (out naiveOutcome) {
	n.update(now)
	levels := map[string]Level{}
	for _, name := range n.names() {
		levels[name] = n.level(name)
	}
	for _, r := range n.runs {
		if r.born = false; r.ripe {
			r.ripe = false
			out.placed = append(out.placed, Placement{Seq: r.seq, Worker: r.worker, Level: r.level})
		}
	}
	for p := range Free {
		n.place(p, levels, &out)
		n.reprioritise(p, &out)
		if n.preempt {
			n.preemptAt(p, levels, &out)
		}
	}
	n.place(Free, levels, &out)
	return out
}

// end is the end of a run.
func (n *naive) end(r *naiveRun) {
	n.runs = slices.DeleteFunc(n.runs, func(o *naiveRun) bool { return o == r })
	for _, o := range n.runs {
		if o.victim == r.seq {
			o.victim, o.ripe = 0, true
		}
	}
}
