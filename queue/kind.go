package queue

import (
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/learn"
)

// KindInfo is a kind with what was learned of its jobs.
type KindInfo struct {
	ID   job.KindID
	Name string
	// Shapes is under how many shapes its live jobs are filed; zero: it has none.
	Shapes int
	Runs   uint64
	Last   job.Time
	// Own are the settings of the kind itself, Policy is what follows from them and
	// those of all kinds.
	Own     learn.Settings
	Policy  learn.Policy
	Figures [learn.NumResources]learn.Figures
}

// Kinds lists kinds by name, after one.
func (s *State) Kinds(after string, limit int) []KindInfo {
	var list []KindInfo
	for _, name := range s.kindNames.after(after, limit) {
		i, _ := s.Learned(name)
		list = append(list, i)
	}
	return list
}

// Learned is what was learned of a kind; without a name, the settings of all kinds.
func (s *State) Learned(name string) (KindInfo, bool) {
	k := s.kinds.rows[0]
	if name != "" {
		slot, ok := s.kinds.byKey[name]
		if !ok {
			return KindInfo{}, false
		}
		k = s.kinds.rows[slot]
	}
	known := k.known
	if known == nil {
		known = unpack(k.packed)
		known.Settle(s.learning)
	}
	i := KindInfo{
		ID: k.ID, Name: k.Name, Shapes: len(k.shapes), Runs: known.Runs, Last: known.Last,
		Own: known.Own, Policy: known.Policy(s.learning),
	}
	for r := range i.Figures {
		i.Figures[r] = known.Figures(learn.Resource(r), s.learning)
	}
	return i, true
}

// ResetKind forgets what was learned of a kind, but not its settings.
func (s *State) ResetKind(name string) error {
	slot, ok := s.kinds.byKey[name]
	if !ok || name == "" {
		return ErrNoKind(name)
	}
	k := s.kinds.rows[slot]
	s.knowledge(k).Forget()
	s.changedKind(k)
	return nil
}

// ErrNoKind says that there is no such kind.
func ErrNoKind(name string) error {
	return job.Errorf(job.NotFound, "no job of kind %q was seen; muster kind list shows those there are", name)
}

// SetKind replaces the settings of a kind, which needs to have no jobs yet; without
// a name, those of all kinds. The error is Invalid.
func (s *State) SetKind(name string, own learn.Settings) error {
	if err := own.Validate(); err != nil {
		return job.Wrap(err, "set kind", name)
	}
	if name == "" {
		none := s.kinds.rows[0]
		none.known.Own, s.learning = own, own
		s.touchKind(none)
		s.settling = len(s.kinds.rows)
		return nil
	}
	k := s.kind(name)
	s.knowledge(k).Own = own
	s.changedKind(k)
	return nil
}

// changedKind has what was done to a kind by a person take effect.
func (s *State) changedKind(k *kindRow) {
	k.known.Resettle(s.learning)
	s.outdate(k)
	k.fresh++
	s.touchKind(k)
	if len(k.shapes) == 0 {
		s.unuse(k)
	}
}
