package schedule

import (
	"slices"
	"strings"

	"github.com/muster-queue/muster/job"
)

// fanout is the jobs of an account that want the same labels, required and
// preferred ones together.
type fanout struct {
	account *account
	key     string
	running int
	shapes  map[*shape]struct{}
}

// spread makes the shape one of its group, if that matters to the account.
func (a *account) spread(sh *shape) {
	sh.fanout.without(sh)
	if sh.fanout = nil; a.MaxFanout > 0 {
		sh.fanout = a.fanoutOf(sh)
		sh.fanout.shapes[sh] = struct{}{}
	}
}

// respread makes that so of all shapes of an account whose MaxFanout came to
// matter, or does not any more.
func (s *Scheduler) respread(a *account) {
	for _, sh := range s.shapes {
		if sh.lane.account == a {
			a.spread(sh)
		}
	}
}

func (a *account) fanoutOf(sh *shape) *fanout {
	key := strings.Join(slices.Concat(sh.labels, sh.prefer).Sorted(), "\x00")
	f := a.fanouts[key]
	if f == nil {
		f = &fanout{account: a, key: key, shapes: map[*shape]struct{}{}}
		a.fanouts[key] = f
	}
	return f
}

// without takes a shape out of the group.
func (f *fanout) without(sh *shape) {
	if f != nil {
		delete(f.shapes, sh)
		f.discard()
	}
}

func (f *fanout) discard() {
	if f.running == 0 && len(f.shapes) == 0 {
		delete(f.account.fanouts, f.key)
	}
}

// throttled reports whether no more of the shape may be paid for at present.
func (s *Scheduler) throttled(sh *shape) bool {
	a := sh.lane.account
	return a.level < Free && a.MaxFanout > 0 && sh.fanout.running >= a.MaxFanout
}

// levelOf is the level at which a job of the shape would start now.
func (s *Scheduler) levelOf(sh *shape) Level {
	if s.throttled(sh) {
		return Free
	}
	return sh.lane.account.level
}

// Standing is the level at which a job of the shape would start now, and whether
// its account lets it start at that level at all.
func (s *Scheduler) Standing(id job.ShapeID) (level Level, may bool) {
	sh := s.shapes[id]
	if sh == nil {
		return Free, false
	}
	return s.levelOf(sh), s.mayRun(sh)
}

// mayRun reports whether the account lets a job of the shape start now.
func (s *Scheduler) mayRun(sh *shape) bool {
	return s.levelOf(sh) < Free || !sh.lane.account.NoFree
}

// tally counts a run where the numbers are limited.
func (h *hold) tally() {
	if h.account.MaxFanout > 0 {
		h.fanout = h.account.fanoutOf(h.of)
		h.fanout.running++
	}
	h.countLabels()
}

// countLabels counts the run for every label of its worker that has a limit.
func (h *hold) countLabels() {
	if len(h.account.LabelLimits) == 0 || h.worker == nil {
		return
	}
	for _, l := range h.worker.names {
		if _, ok := h.account.limitOf(l); ok {
			h.labels = append(h.labels, l)
			h.account.counts[l]++
		}
	}
}

// limitOf is how many runs the account may have on workers with the label.
func (a *account) limitOf(label string) (int, bool) {
	key, _, _ := strings.Cut(label, ":")
	n, ok := a.LabelLimits[key]
	return n, ok
}

// untally is the opposite of tally; what was held up by it is tried again.
func (s *Scheduler) untally(h *hold) {
	if f := h.fanout; f != nil {
		h.fanout = nil
		if f.running--; f.running == f.account.MaxFanout-1 {
			s.reannounce(f)
		}
		f.discard()
	}
	s.uncountLabels(h)
}

// uncountLabels is the opposite of countLabels.
func (s *Scheduler) uncountLabels(h *hold) {
	a, again := h.account, false
	for _, l := range h.labels {
		n, _ := a.limitOf(l)
		again = again || a.counts[l] == n
		if a.counts[l]--; a.counts[l] == 0 {
			delete(a.counts, l)
		}
	}
	if h.labels = nil; again {
		a.eager = true
		s.stir(a)
		s.retry(a)
	}
}

// reannounce makes the shapes of the group be tried again.
func (s *Scheduler) reannounce(f *fanout) {
	for sh := range f.shapes {
		if sh.items.len() > 0 {
			s.announce(sh)
		}
	}
}

// recount counts the runs of an account anew after its limits changed.
func (s *Scheduler) recount(a *account) {
	clear(a.counts)
	for _, f := range a.fanouts {
		f.running = 0
	}
	for _, h := range s.held {
		if h.account == a {
			h.fanout, h.labels = nil, nil
			h.tally()
		}
	}
	for _, f := range a.fanouts {
		f.discard()
	}
}

// atLimit reports whether the account may have no more runs on the worker.
func (a *account) atLimit(w *worker) bool {
	if len(a.LabelLimits) == 0 {
		return false
	}
	for _, l := range w.names {
		if n, ok := a.limitOf(l); ok && a.counts[l] >= n {
			return true
		}
	}
	return false
}

// full tells the workers on which the account may have no more; nil when it has no
// such limits.
func (a *account) full() func(*worker) bool {
	if len(a.LabelLimits) == 0 {
		return nil
	}
	return a.atLimit
}
