package queue

import (
	"slices"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/learn"
)

// This file counts runs by kind, and has the shapes of a kind follow what was
// learned of it.

// kindRow is an interned kind with what was learned of its jobs. What is learned
// stays when no job is left, packed as it is stored.
type kindRow struct {
	job.KindRow
	shapes []*shapeRow
	known  *learn.Kind // nil: packed is what there is
	packed []byte
	// stale is how many of the first shapes have yet to follow what was learned last.
	stale int
	// fresh is how many runs were counted since it was stored, touched whether the
	// turn has it listed, unused whether State.unused has.
	fresh                 uint64
	touched, unused, gone bool
}

// ask is what attempts ask for, by the slot that the tries of held jobs keep.
type ask struct {
	learn.Ask
	refs int
}

// knowledge is what was learned of a kind; nil for jobs of none.
func (s *State) knowledge(k *kindRow) *learn.Kind {
	if k.known == nil && k.ID != 0 {
		k.known = unpack(k.packed)
		k.packed = nil
		k.known.Settle(s.learning)
	}
	return k.known
}

// unpack reads what is stored. What was learned can be learned again: if it is
// damaged the kind begins anew, and nobody's jobs wait for a person.
func unpack(body []byte) *learn.Kind {
	if known, err := learn.Decode(body); err == nil {
		return known
	}
	return new(learn.Kind)
}

// reckon finds out what the jobs of a shape ask for by now. It reports whether
// that is something else than before.
func (s *State) reckon(sh *shapeRow) bool {
	w := learn.Wants{
		Needs: sh.Needs, Time: sh.Time, Override: sh.Override, Most: sh.most,
		Learned: learn.Estimate{Asked: learn.Nothing},
		Raised:  learn.Amounts{learn.Memory: sh.Raised[job.Memory], learn.Disk: sh.Raised[job.Disk], learn.Time: int64(sh.RaisedTime)},
	}
	if sh.Command {
		w.Defaults = s.softNeeds
		if sh.kind.ID != 0 {
			w.Learned = s.knowledge(sh.kind).Estimate(s.learning)
		}
	}
	asks := w.Ask()
	if old := s.asks[sh.ask]; sh.ask != 0 && old.Equal(&asks) {
		return false
	}
	s.unask(sh.ask)
	sh.ask = s.newAsk(asks)
	return true
}

// splitNeeds parts the default needs into what can be learned and what cannot.
func (s *State) splitNeeds() {
	s.firmNeeds, s.softNeeds = job.Resources{}, job.Resources{}
	for name, n := range s.cfg.Needs {
		if name == job.Memory || name == job.Disk {
			s.softNeeds[name] = n
		} else {
			s.firmNeeds[name] = n
		}
	}
}

func (s *State) newAsk(a learn.Ask) uint32 {
	row := &ask{Ask: a, refs: 1}
	if n := len(s.freeAsks); n > 0 {
		slot := s.freeAsks[n-1]
		s.freeAsks = s.freeAsks[:n-1]
		s.asks[slot] = row
		return slot
	}
	s.asks = append(s.asks, row)
	return uint32(len(s.asks) - 1)
}

func (s *State) unask(slot uint32) {
	if slot == 0 {
		return
	}
	if a := s.asks[slot]; a.refs > 1 {
		a.refs--
		return
	}
	s.asks[slot] = nil
	s.freeAsks = append(s.freeAsks, slot)
}

// grants notes that the attempt was given what its job asks for now.
func (s *State) grants(r *rec, t *try) {
	s.unask(t.ask)
	t.ask = s.shapes.rows[r.shape].ask
	s.asks[t.ask].refs++
}

// Granted is what the attempt that holds a job, or was the last to, was given; zero
// if there was none since the load.
func (s *State) Granted(seq job.Seq) learn.Ask {
	_, r := s.find(seq)
	if r == nil || r.try == 0 {
		return learn.Ask{}
	}
	return s.asks[s.tries.at(r.try).ask].Ask
}

// Asked is what the next attempts of jobs of a shape ask for.
func (s *State) Asked(id job.ShapeID) learn.Ask {
	row := s.shapes.byNumber(id)
	if row == nil {
		return learn.Ask{}
	}
	return s.asks[row.ask].Ask
}

// learn counts an attempt that ended, and has a job that was ended for too little
// ask for more.
func (s *State) learn(slot uint32, r *rec, t *try, e *End, v verdict) {
	if r.flags&job.FlagCommand == 0 {
		return
	}
	used := &e.Result
	run := learn.Run{Used: learn.Nothing, Ended: s.now, Completed: v.to == job.Complete}
	if run.Completed {
		run.Used = learn.Amounts{measured(used.PeakMemory), max(used.PeakDisk, 0), measured(int64(used.WallTime))}
		s.teach(s.shapes.rows[r.shape].kind, &run)
		return
	}
	what, over := learn.Reason(r.reason)
	if !over {
		return
	}
	if n := of(used, what); n > 0 {
		run.Used[what] = n
		s.teach(s.shapes.rows[r.shape].kind, &run)
	}
	s.enlarge(slot, r, t, what, of(used, what))
}

func of(r *job.Result, what learn.Resource) int64 {
	return [...]int64{learn.Memory: r.PeakMemory, learn.Disk: r.PeakDisk, learn.Time: int64(r.WallTime)}[what]
}

// measured takes an amount that nothing can run without for unknown when it is zero.
func measured(n int64) int64 {
	if n <= 0 {
		return learn.Unknown
	}
	return n
}

// teach counts a run. What was learned is stored after each while there are few,
// later when a twentieth is new: the runs in between may be lost in a crash, what is
// asked for is not.
func (s *State) teach(k *kindRow, run *learn.Run) {
	if k.ID == 0 {
		return
	}
	known := s.knowledge(k)
	changed := known.Count(run, s.learning)
	if changed {
		s.outdate(k)
	}
	if k.fresh++; changed || k.fresh*20 >= known.Counted() {
		s.touchKind(k)
	}
}

func (s *State) touchKind(k *kindRow) {
	if !k.touched {
		k.touched = true
		s.turn.learned = append(s.turn.learned, k)
	}
}

// outdate has the kind's shapes reckoned anew, by Relearn.
func (s *State) outdate(k *kindRow) {
	if k.stale == 0 && len(k.shapes) > 0 {
		s.following = append(s.following, k)
	}
	k.stale = len(k.shapes)
}

// Relearn goes on to have shapes follow what was learned of their kinds. It reckons
// at most max of them, in a time that does not depend on how many jobs they have;
// more says that it must be called again. Held attempts keep what they were given.
func (s *State) Relearn(max int) (more bool) {
	s.review(max)
	for len(s.following) > 0 {
		k := s.following[len(s.following)-1]
		for ; k.stale > 0; k.stale-- {
			if max--; max < 0 {
				return true
			}
			if sh := k.shapes[k.stale-1]; s.reckon(sh) {
				s.feedShape(sh)
			}
		}
		s.following = s.following[:len(s.following)-1]
	}
	return s.settling > 0
}

// review goes on to settle kinds, after the settings of all changed.
func (s *State) review(max int) {
	for ; s.settling > 0 && max > 0; max-- {
		s.settling--
		if k := s.kinds.rows[s.settling]; s.settling > 0 && k != nil && k.known != nil {
			k.known.Resettle(s.learning)
			s.outdate(k)
		}
	}
}

// enlarge files a job that was ended after it used so much of a resource under a
// shape that asks for more of that.
func (s *State) enlarge(slot uint32, r *rec, t *try, what learn.Resource, used int64) {
	row, had := s.shapes.rows[r.shape], s.asks[t.ask]
	sh, name := row.Shape, what.String()
	_, given := sh.Needs[name]
	switch {
	case sh.Override == job.OverrideAlways && (given || what == learn.Time):
		return
	case what != learn.Time:
		sh.Raised = sh.Raised.Clone()
		sh.Raised[name] = max(sh.Raised[name], what.Raise(max(used, had.Needs[name])))
	case sh.Time > 0:
		sh.RaisedTime = max(sh.RaisedTime, learn.Duration(what.Raise(max(used, had.Limits[what]))))
	}
	s.refileUnder(slot, r, s.shapeLike(&sh, nil, row.queue, row.kind))
}

// refileUnder gives a job another shape of the same queue and labels. It is not
// held any more.
func (s *State) refileUnder(slot uint32, r *rec, shape uint32) {
	s.unfeed(r)
	s.unrefShape(r.shape)
	r.shape = shape
	if r.state == job.Ready {
		s.feedJob(FeedPush, r)
	}
	s.touch(slot, r)
}

// keepRaises has a job's new shape keep what was raised for it, as far as its new
// description leaves alone what was given.
func keepRaises(sh, was *job.Shape) {
	if sh.Override != was.Override {
		return
	}
	for name, n := range was.Raised {
		before, had := was.Needs[name]
		if now, has := sh.Needs[name]; had == has && before == now {
			sh.Raised = sh.Raised.Clone()
			sh.Raised[name] = n
		}
	}
	if sh.Time == was.Time {
		sh.RaisedTime = was.RaisedTime
	}
}

// estimated reports whether the attempt exceeded no more than an estimate.
func (s *State) estimated(t *try, why job.Reason) bool {
	what, over := learn.Reason(why)
	return over && t.ask != 0 && s.asks[t.ask].Sources[what] == learn.Learned
}

// Must is what jobs of a shape cannot do without: their needs, but of what was learned
// or raised as much as was given.
func (s *State) Must(id job.ShapeID) job.Resources {
	row := s.shapes.byNumber(id)
	if row == nil {
		return nil
	}
	asks := s.asks[row.ask]
	must := asks.Needs.Clone()
	for r := range learn.Time {
		if name := r.String(); asks.Estimated(r) {
			must[name] = min(row.Needs[name], asks.Needs[name])
		}
	}
	return must
}

// Bound notes the most of a resource that machines have on which jobs of a shape may
// run, so that what was learned or raised stays below; zero: not known, learn.None:
// they have none. It reports whether the shape asks for something else by that.
func (s *State) Bound(id job.ShapeID, what learn.Resource, most int64) bool {
	row := s.shapes.byNumber(id)
	if row == nil || row.most[what] == most {
		return false
	}
	row.most[what] = most
	changed := s.reckon(row)
	if changed {
		s.feedShape(row)
	}
	return changed
}

func (s *State) joinKind(row *shapeRow) {
	if k := row.kind; k.ID != 0 {
		row.inKind = len(k.shapes)
		k.shapes = append(k.shapes, row)
	}
}

// leaveKind takes a shape out of its kind's list; the last one gets its place, which
// among those that are stale is reckoned once more.
func (s *State) leaveKind(row *shapeRow) {
	k := row.kind
	if k.ID == 0 {
		return
	}
	last := k.shapes[len(k.shapes)-1]
	k.shapes[row.inKind], last.inKind = last, row.inKind
	k.shapes[len(k.shapes)-1] = nil
	k.shapes = k.shapes[:len(k.shapes)-1]
	k.stale = min(k.stale, len(k.shapes))
	if len(k.shapes) == 0 {
		s.unuse(k)
	}
}

// unuse is called when no shape of the kind is left. What was learned stays, but of
// so many kinds at most; whoever was without jobs for longest is forgotten.
func (s *State) unuse(k *kindRow) {
	if k.packed == nil && (k.known == nil || k.known.Empty()) {
		s.forgetKind(k)
		return
	}
	if k.known != nil {
		if k.fresh > 0 {
			s.touchKind(k)
		}
		k.packed, k.known = k.known.Encode(nil), nil
	}
	if !k.unused {
		k.unused = true
		s.unused = append(s.unused, k)
	}
	for len(s.unused) > s.cfg.Kinds {
		oldest := s.unused[0]
		s.unused = s.unused[1:]
		if oldest.unused = false; len(oldest.shapes) == 0 {
			s.forgetKind(oldest)
		}
	}
}

func (s *State) forgetKind(k *kindRow) {
	if k.gone = true; k.unused {
		s.unused = slices.DeleteFunc(s.unused, func(u *kindRow) bool { return u == k })
	}
	s.touchKind(k)
	s.kinds.remove(k.ID, k.Name)
	s.kindNames.remove(k.Name)
	s.turn.kinds = append(s.turn.kinds, job.KindRow{ID: k.ID, Gone: true})
}

// takeLearned are the rows of kinds that are to be stored.
func (s *State) takeLearned() (rows []job.LearnedRow) {
	for _, k := range s.turn.learned {
		k.touched, k.fresh = false, 0
		switch {
		case k.gone || k.known != nil && k.known.Empty():
			rows = append(rows, job.LearnedRow{Kind: k.ID, Gone: true})
		case k.known != nil:
			rows = append(rows, job.LearnedRow{Kind: k.ID, Body: k.known.Encode(nil)})
		default:
			rows = append(rows, job.LearnedRow{Kind: k.ID, Body: k.packed})
		}
	}
	clear(s.turn.learned)
	return rows
}

// StoreLearned has the turn store what was learned since it was stored last, of all
// kinds. Call it in the last turn.
func (s *State) StoreLearned() {
	for _, k := range s.kinds.rows {
		if k != nil && k.fresh > 0 {
			s.touchKind(k)
		}
	}
}
