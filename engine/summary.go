package engine

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"sync"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/summary"
)

// summaries has the sums of the groups' complete jobs, kept beside the writer: a turn
// only notes what went into history and out of it. They are checkpointed as documents,
// with the end number up to which they are whole; a load catches up from there. Each is
// checked when it is asked for: the state counts the complete jobs of a group durably, so
// a sum of another number of jobs (records were deleted between a checkpoint and a crash,
// say) is made anew from history.
type summaries struct {
	// work has one token, of whoever works on the sums.
	work   chan struct{}
	groups map[job.GroupID]*groupSum
	// loaded says that history before since, from where on the writer notes what
	// happens, is added up.
	loaded bool
	since  uint64
	// changed are groups whose documents are out of date, folded how many items came
	// since the last checkpoint, and stored up to where that was whole.
	changed map[job.GroupID]struct{}
	folded  int

	// What the writer noted and nobody added up yet; next is the end number after it.
	in   sync.Mutex
	feed []summary.Item
	next uint64
}

// groupSum is the sum of a group; of history before reach it has everything.
type groupSum struct {
	*summary.Group
	reach uint64
}

// Bounds of summaries.
const (
	// summaryRoom has the documents: one for each group, and how far they reach.
	summaryRoom  = "summary"
	summaryReach = "reach"
	// foldItems is how many items are added up at once in the background, maxFeed how
	// many may wait before all is forgotten.
	foldItems = 16 << 10
	maxFeed   = 2 << 20
	// checkpointItems is after how many items the sums are stored, at least.
	checkpointItems = 256 << 10
	// maxSums bounds the groups in memory; what is beyond is made from history when it
	// is asked for.
	maxSums = 200_000
)

// summing is the writer's side.
type summing struct {
	*summaries
	// on says that what happens is noted; finished and forgotten is how much of this
	// turn was.
	on                  bool
	finished, forgotten int
}

// startSumming begins anew after a load. A namespace without history has nothing to catch
// up with; of one with much since the last checkpoint the sums are made ready at once.
func (w *writer) startSumming() {
	w.forgetSums()
	next := w.state.Meta().NextEnd
	if counts := w.state.Counts(); counts[job.Complete] == 0 {
		w.summing.on, w.summing.loaded, w.summing.since, w.summing.next = true, true, next, next
		return
	}
	if next-min(next, w.ns.summedUpTo()) < 2*checkpointItems {
		return
	}
	n := w.ns
	n.background.Go(func() {
		if _, err := n.Summaries(context.Background(), SummariesRequest{Limit: 1}); err != nil && !errors.Is(err, job.ErrClosed) {
			w.log.Warn("the groups' summaries could not be made; tried again when they are asked for", "namespace", n.name, "err", err)
		}
	})
}

// forgetSums lets go of all sums; the next who asks loads them.
func (w *writer) forgetSums() {
	w.summing = summing{summaries: &summaries{
		work: make(chan struct{}, 1), groups: map[job.GroupID]*groupSum{}, changed: map[job.GroupID]struct{}{},
	}}
}

// summedUpTo is how far the stored sums reach.
func (n *Namespace) summedUpTo() (reach uint64) {
	err := n.store.Documents(summaryRoom, summaryReach, func(_ string, body []byte) bool {
		if len(body) == 8 {
			reach = binary.BigEndian.Uint64(body)
		}
		return false
	})
	if err != nil {
		return 0
	}
	return reach
}

// sum notes what this turn did to history since it was noted last.
func (w *writer) sum() {
	s := &w.summing
	finished, forgotten := w.state.Past()
	fresh := len(finished) - s.finished + len(forgotten) - s.forgotten
	from, gone := s.finished, s.forgotten
	s.finished, s.forgotten = len(finished), len(forgotten)
	if s.on && fresh > 0 {
		s.in.Lock()
		for i := range finished[from:] {
			s.note(&finished[from+i], false)
		}
		for i := range forgotten[gone:] {
			s.note(&forgotten[gone+i], true)
		}
		s.next = w.state.Meta().NextEnd
		waiting := len(s.feed)
		s.in.Unlock()
		w.foldSome(waiting, fresh)
	}
}

func (s *summaries) note(f *job.Finished, gone bool) {
	if f.Group == 0 {
		return
	}
	i := summary.ItemOf(f)
	i.Gone = gone
	s.feed = append(s.feed, i)
}

// foldSome has what waits added up in the background, each time that it is many more.
func (w *writer) foldSome(waiting, fresh int) {
	if waiting > maxFeed {
		w.forgetSums() // somebody has been making sums for long
		return
	}
	if waiting/foldItems == (waiting-fresh)/foldItems {
		return
	}
	n, s := w.ns, w.summing.summaries
	n.background.Go(func() {
		select {
		case s.work <- struct{}{}:
			defer func() { <-s.work }()
			n.foldAndStore(s)
		default: // who works on them goes on
		}
	})
}

// foldAndStore adds up what was noted, and makes a checkpoint where that was much.
func (n *Namespace) foldAndStore(s *summaries) {
	if !s.loaded {
		return
	}
	next := s.fold()
	if s.folded < max(checkpointItems, 4*len(s.changed)) {
		return
	}
	if err := n.checkpoint(s, next); err != nil && !errors.Is(err, job.ErrClosed) {
		n.engine.log.Warn("the groups' summaries could not be stored; tried again later", "namespace", n.name, "err", err)
	}
}

// take is what the writer noted so far, and the end number after it.
func (s *summaries) take() (items []summary.Item, next uint64) {
	s.in.Lock()
	defer s.in.Unlock()
	items, s.feed = s.feed, nil
	return items, s.next
}

// giveBack puts items back that were taken and not added up.
func (s *summaries) giveBack(items []summary.Item) {
	s.in.Lock()
	defer s.in.Unlock()
	s.feed = append(items, s.feed...)
}

// fold adds up what was noted.
func (s *summaries) fold() (next uint64) {
	items, next := s.take()
	s.apply(items)
	return next
}

func (s *summaries) apply(items []summary.Item) {
	for i := range items {
		s.group(items[i].Group).Apply(&items[i])
	}
	s.folded += len(items)
	for id := range s.groups {
		if len(s.groups) <= maxSums {
			break
		}
		delete(s.groups, id)
		s.changed[id] = struct{}{} // its document is out of date
	}
}

// group is the sum of a group, which is about to change.
func (s *summaries) group(id job.GroupID) *groupSum {
	g := s.groups[id]
	if g == nil {
		g = &groupSum{Group: &summary.Group{}}
		s.groups[id] = g
	}
	s.changed[id] = struct{}{}
	return g
}

// checkpoint stores the sums that changed, and then that all are whole up to next. Where
// that is cut off some are newer than it says, which they know.
func (n *Namespace) checkpoint(s *summaries, next uint64) error {
	var docs []job.Document
	bytes := 0
	put := func(force bool) error {
		if len(docs) == 0 || !force && len(docs) < 512 && bytes < 1<<20 {
			return nil
		}
		err := n.putSums(s, docs)
		docs, bytes = nil, 0
		return err
	}
	for id := range s.changed {
		doc := job.Document{Room: summaryRoom, Key: sumKey(id)}
		if g := s.groups[id]; g == nil || g.Count == 0 {
			doc.Gone = true
			delete(s.groups, id)
		} else {
			doc.Body = g.Append(binary.BigEndian.AppendUint64(nil, next))
		}
		docs = append(docs, doc)
		bytes += len(doc.Body)
		if err := put(false); err != nil {
			return err
		}
	}
	docs = append(docs, job.Document{Room: summaryRoom, Key: summaryReach, Body: binary.BigEndian.AppendUint64(nil, next)})
	if err := put(true); err != nil {
		return err
	}
	clear(s.changed)
	s.folded = 0
	return nil
}

// putSums stores sums, unless they are of what was before a load.
func (n *Namespace) putSums(s *summaries, docs []job.Document) error {
	_, err := call(context.Background(), n, normal, func(w *writer) (struct{}, error) {
		if w.summing.summaries != s {
			return struct{}{}, job.ErrClosed
		}
		w.documents = append(w.documents, docs...)
		return struct{}{}, nil
	})
	return err
}

// sumPrefix begins the keys of sums, so that they are apart from summaryReach.
const sumPrefix = "group/"

func sumKey(id job.GroupID) string {
	return sumPrefix + string(binary.BigEndian.AppendUint32(nil, uint32(id)))
}

// load reads the stored sums, and adds what history has between them and since.
func (s *summaries) load(ctx context.Context, n *Namespace) error {
	reach := n.summedUpTo()
	clear(s.groups)
	s.folded = 0
	var bad error
	err := n.store.Documents(summaryRoom, sumPrefix, func(key string, body []byte) bool {
		if len(key) != len(sumPrefix)+4 || len(body) < 8 {
			return true
		}
		g, err := summary.Decode(body[8:])
		if err != nil {
			bad = err
			return false
		}
		id := job.GroupID(binary.BigEndian.Uint32([]byte(key[len(sumPrefix):])))
		s.groups[id] = &groupSum{Group: g, reach: binary.BigEndian.Uint64(body)}
		return len(s.groups) < maxSums
	})
	if err = errors.Join(err, bad); err != nil {
		return job.Wrap(err, "read the summaries", "")
	}
	err = n.store.History(s.since, 0, func(f *job.Finished) bool {
		if f.End < reach || !n.goesOn(ctx, f.End) {
			return false
		}
		if g := s.groups[f.Group]; f.Group != 0 && (g == nil || f.End >= g.reach) {
			item := summary.ItemOf(f)
			s.group(f.Group).Apply(&item)
			s.folded++
		}
		return true
	})
	if err == nil && !n.goesOn(ctx, 0) {
		err = cmp.Or(ctx.Err(), job.ErrClosed)
	}
	if err != nil {
		return job.Wrap(err, "read history", "")
	}
	s.loaded = true
	return nil
}
