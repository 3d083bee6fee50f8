package queue

import (
	"encoding/binary"
	"maps"
	"slices"
	"strings"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/learn"
)

// rows are interned things of one sort: by slot (what records keep, 0 is none),
// by number (what is stored) and by name or content.
type rows[ID ~uint32, R any] struct {
	rows  []*R
	free  []uint32
	byID  map[ID]uint32
	byKey map[string]uint32
}

func newRows[ID ~uint32, R any](none *R) rows[ID, R] {
	return rows[ID, R]{rows: []*R{none}, byID: map[ID]uint32{}, byKey: map[string]uint32{}}
}

func (t *rows[ID, R]) put(id ID, key string, r *R) uint32 {
	slot := uint32(len(t.rows))
	if n := len(t.free); n > 0 {
		slot, t.free = t.free[n-1], t.free[:n-1]
		t.rows[slot] = r
	} else {
		t.rows = append(t.rows, r)
	}
	t.byID[id], t.byKey[key] = slot, slot
	return slot
}

func (t *rows[ID, R]) remove(id ID, key string) {
	slot := t.byID[id]
	delete(t.byID, id)
	delete(t.byKey, key)
	t.rows[slot] = nil
	t.free = append(t.free, slot)
}

// byNumber is the row of a number; nil if there is none.
func (t *rows[ID, R]) byNumber(id ID) *R {
	if slot, ok := t.byID[id]; ok {
		return t.rows[slot]
	}
	return nil
}

type queueRow struct {
	job.QueueRow
	counts job.Counts // of live jobs
	dirty  bool
	sweep  job.Seq // where DeleteQueue goes on
	going  *Going  // those that DeleteQueue deletes
	stayed error   // why it could not delete one of them in this round
	idled  bool    // as of the last Arisen
	keyed  *byKey  // nil unless it is ordered by key
}

type groupRow struct {
	job.GroupRow
	slot   uint32
	refs   int        // live jobs, ghosts included
	counts job.Counts // of live jobs
	dirty  bool
}

type shapeRow struct {
	job.ShapeRow
	key   string
	queue *queueRow
	kind  *kindRow
	refs  int // live jobs
	idle  bool
	// ask is what its jobs ask for, a slot of State.asks; most bounds what of that is
	// only estimated, see State.Bound. inKind is where its kind lists it.
	ask    uint32
	most   learn.Amounts
	inKind int
	// labels are those it asks for or prefers, as far as they are counted.
	labels []*labelRow
	payer  string // as the scheduler was told last
}

// group is the slot of a group, made when new; the empty name is slot 0.
func (s *State) group(name string) uint32 {
	if name == "" {
		return 0
	}
	if slot, ok := s.groups.byKey[name]; ok {
		return slot
	}
	g := &groupRow{GroupRow: job.GroupRow{ID: s.meta.NextGroup, Name: name}}
	s.meta.NextGroup++
	s.putGroup(g)
	s.dirtyGroup(g)
	return g.slot
}

func (s *State) putGroup(g *groupRow) {
	g.slot = s.groups.put(g.ID, g.Name, g)
	s.groupNames.put(g.Name)
}

func (s *State) dirtyGroup(g *groupRow) {
	if !g.dirty && g.ID != 0 {
		g.dirty = true
		s.turn.groups = append(s.turn.groups, g)
	}
}

func (s *State) kind(name string) *kindRow {
	if name == "" {
		return s.kinds.rows[0]
	}
	if slot, ok := s.kinds.byKey[name]; ok {
		return s.kinds.rows[slot]
	}
	k := &kindRow{KindRow: job.KindRow{ID: s.meta.NextKind, Name: name}}
	s.meta.NextKind++
	s.putKind(k)
	s.turn.kinds = append(s.turn.kinds, k.KindRow)
	return k
}

func (s *State) putKind(k *kindRow) {
	s.kinds.put(k.ID, k.Name, k)
	s.kindNames.put(k.Name)
}

// shape is the slot of the shape a job has in a queue, made when new, with one
// reference more. was is the job's shape so far, nil for a new one.
func (s *State) shape(j *job.Job, q *queueRow, was *shapeRow) uint32 {
	k := s.kind(j.Kind)
	sh := job.Shape{
		Queue: q.ID, Kind: k.ID, Account: j.Account, Needs: j.Needs, Time: j.Time,
		Labels: j.Labels.With(q.Def.Labels), Prefer: j.Prefer.With(q.Def.Prefer), Limits: j.Limits,
		Command: j.IsCommand(), NotPreemptible: j.NotPreemptible, Wait: j.Wait,
		Lease: j.Lease, Backoff: j.Backoff, NoRetryAfter: j.NoRetryAfter, Override: j.Override,
	}
	if was != nil && (was.Raised != nil || was.RaisedTime > 0) {
		keepRaises(&sh, &was.Shape)
	}
	return s.shapeLike(&sh, s.defaults(j), q, k)
}

// shapeLike is the slot of a shape, made when new, with one reference more. What is
// not given has its default.
func (s *State) shapeLike(sh *job.Shape, defaults job.Resources, q *queueRow, k *kindRow) uint32 {
	s.shapeKey = appendShape(s.shapeKey[:0], sh, defaults)
	slot, ok := s.shapes.byKey[string(s.shapeKey)]
	if !ok {
		sh.Needs = merged(sh.Needs, defaults)
		slot = s.newShape(*sh, q, k)
	}
	s.shapes.rows[slot].refs++
	return slot
}

// defaults are the needs of a command that does not say, but for those that can be
// learned: a default is no reason to ask for more than other runs needed.
func (s *State) defaults(j *job.Job) job.Resources {
	if j.IsCommand() {
		return s.firmNeeds
	}
	return nil
}

// merged is what was given and, of what was not, the defaults.
func merged(given, defaults job.Resources) job.Resources {
	all := defaults.Clone()
	maps.Copy(all, given)
	return all
}

func (s *State) newShape(sh job.Shape, q *queueRow, k *kindRow) uint32 {
	sh.Labels, sh.Prefer = sh.Labels.Sorted(), sh.Prefer.Sorted()
	sh.Limits = slices.Clone(sortedLimits(sh.Limits))
	row := &shapeRow{ShapeRow: job.ShapeRow{ID: s.meta.NextShape, Shape: sh}, key: string(s.shapeKey), queue: q, kind: k}
	s.meta.NextShape++
	s.joinKind(row)
	s.addLabels(row)
	slot := s.shapes.put(row.ID, row.key, row)
	s.turn.shapes = append(s.turn.shapes, row.ShapeRow)
	s.reckon(row)
	s.feedShape(row)
	return slot
}

// keepIdle is how many shapes without jobs are kept, so that a lone job that is
// added again and again does not make and drop its shape each time.
const keepIdle = 64

func (s *State) unrefShape(slot uint32) {
	row := s.shapes.rows[slot]
	row.refs--
	if row.refs == 0 && !row.idle {
		row.idle = true
		s.idle = append(s.idle, slot)
	}
}

// dropIdle forgets shapes that have been without jobs for longest, all but keep.
func (s *State) dropIdle(keep int) {
	n := 0
	for ; len(s.idle)-n > keep; n++ {
		row := s.shapes.rows[s.idle[n]]
		row.idle = false
		if row.refs == 0 {
			s.dropShape(row)
		}
	}
	s.idle = s.idle[n:]
}

func (s *State) dropShape(row *shapeRow) {
	s.shapes.remove(row.ID, row.key)
	s.dropLabels(row)
	s.turn.shapes = append(s.turn.shapes, job.ShapeRow{ID: row.ID, Gone: true})
	s.feed(Feed{Op: FeedDropShape, Shape: row.ID, Queue: row.queue.ID})
	s.unask(row.ask)
	s.leaveKind(row)
}

// appendShape appends what tells shapes apart; order of names does not. The
// defaults are added to the needs where they are not given.
func appendShape(b []byte, sh *job.Shape, defaults job.Resources) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(sh.Queue))
	b = binary.LittleEndian.AppendUint32(b, uint32(sh.Kind))
	b = append(b, bit(sh.Command)|bit(sh.NotPreemptible)<<1|bit(sh.Wait)<<2|bit(sh.Backoff != nil)<<3)
	b = appendInt(appendInt(appendInt(b, int64(sh.Time)), int64(sh.Lease)), int64(sh.NoRetryAfter))
	if f := sh.Backoff; f != nil {
		b = appendInt(appendInt(appendInt(b, int64(f.Base)), int64(f.Jitter)), int64(f.Cap))
	}
	b = appendText(b, sh.Account)
	b = appendNeeds(b, sh.Needs, defaults)
	b = append(b, byte(sh.Override))
	b = appendInt(appendNeeds(b, sh.Raised, nil), int64(sh.RaisedTime))
	b = appendLabels(b, sh.Labels)
	b = appendLabels(b, sh.Prefer)
	for _, l := range sortedLimits(sh.Limits) {
		b = appendInt(appendText(b, l.Name), l.Weight)
	}
	return b
}

func appendNeeds(b []byte, needs, defaults job.Resources) []byte {
	type need struct {
		name   string
		amount int64
	}
	var stack [8]need
	all := stack[:0]
	for k, v := range needs {
		all = append(all, need{k, v})
	}
	for k, v := range defaults {
		if _, given := needs[k]; !given {
			all = append(all, need{k, v})
		}
	}
	slices.SortFunc(all, func(a, b need) int { return strings.Compare(a.name, b.name) })
	b = binary.AppendUvarint(b, uint64(len(all)))
	for i := range all {
		b = appendInt(appendText(b, all[i].name), all[i].amount)
	}
	return b
}

func appendLabels(b []byte, l job.Labels) []byte {
	if !slices.IsSorted(l) {
		l = l.Sorted()
	}
	for i, x := range l {
		if i == 0 || x != l[i-1] {
			b = appendText(b, x)
		}
	}
	return append(b, 0) // no label is empty
}

func sortedLimits(l []job.LimitUse) []job.LimitUse {
	byName := func(a, b job.LimitUse) int { return strings.Compare(a.Name, b.Name) }
	if !slices.IsSortedFunc(l, byName) {
		l = slices.Clone(l)
		slices.SortFunc(l, byName)
	}
	return l
}

func appendText(b []byte, t string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(t))), t...)
}

func appendInt(b []byte, v int64) []byte { return binary.AppendVarint(b, v) }

func bit(on bool) byte {
	if on {
		return 1
	}
	return 0
}
