package engine

import (
	"fmt"
	"strings"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/notice"
	"github.com/muster-queue/muster/queue"
)

// teller notes what somebody is to be told of, of the events of one turn, before the
// turn is stored: that something happened and that it is to be told is one commit.
type teller struct {
	*writer
	finished map[job.Seq]*job.Finished
	attempts map[job.Seq]*job.AttemptRow
	groups   map[string]bool
	fresh    []*notice.Delivery
}

// tell notes deliveries of what happened in this turn.
func (w *writer) tell(events []queue.Event) {
	book := w.notices.book
	if book == nil || len(events) == 0 {
		return
	}
	t := &teller{writer: w}
	for i := range events {
		t.event(book, &events[i])
	}
	if book.Wants(notice.Failed) {
		t.failures(book)
	}
	for group := range t.groups {
		t.groupEnd(book, group)
	}
	t.send()
}

// event notes who is to be told of an event.
func (t *teller) event(book *notice.Book, e *queue.Event) {
	if e.From == e.To {
		return
	}
	group, ok := t.state.Group(e.Group)
	if !ok || strings.HasPrefix(group, notice.HookPrefix) {
		return
	}
	if book.Wants(notice.GroupEnd) && group != "" && unfinished(e.From) && !unfinished(e.To) {
		if t.groups == nil {
			t.groups = map[string]bool{}
		}
		t.groups[group] = true
	}
	kind, told := map[job.State]notice.Event{job.Complete: notice.Complete, job.Buried: notice.Buried, job.Lost: notice.Lost}[e.To]
	if told && book.Wants(kind) {
		t.job(book, kind, group, e)
	}
}

// unfinished reports whether a job in the state is still to come to an end by itself.
func unfinished(s job.State) bool { return s.Live() && s != job.Buried }

// job notes who is to be told of an event of a job.
func (t *teller) job(book *notice.Book, kind notice.Event, group string, e *queue.Event) {
	l, ok := t.live(e.Seq)
	if !ok {
		return // deleted in the same turn: there is nothing to be told of
	}
	q, _ := t.state.Queue(e.Queue)
	s := notice.Subject{Group: group, Queue: q.Name, Account: t.payer(&l), Digest: l.Digest}
	book.Match(kind, &s, func(n *notice.Notice) {
		d := t.delivery(n, kind, e.At)
		d.Seq, d.Version = l.Seq, l.Version
		f := &d.Facts
		f.Group, f.Queue, f.ID, f.Account = text(group), q.Name, taskText(l.Digest), text(s.Account)
		f.State = e.To.String()
		if e.Reason != job.ReasonNone {
			f.Reason = e.Reason.Word()
		}
		if a := t.attempt(e.Seq); a != nil && kind != notice.Lost {
			f.SetAttempt(&a.Attempt)
		} else if name, ok := t.state.Worker(l.Worker); ok {
			f.Worker, f.Host, f.Attempt = text(name.Name), text(name.Host), l.Number
		}
	})
}

// text is what JSON can hold.
func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// live is a job as it is, or was when it completed in this turn.
func (t *teller) live(seq job.Seq) (job.Live, bool) {
	if t.finished == nil {
		t.finished = map[job.Seq]*job.Finished{}
		done, _ := t.state.Past()
		for i := range done {
			t.finished[done[i].Seq] = &done[i]
		}
	}
	if f := t.finished[seq]; f != nil {
		return f.Live, true
	}
	return t.state.BySeq(seq)
}

// attempt is the last attempt at a job that ended in this turn; nil if none did.
func (t *teller) attempt(seq job.Seq) *job.AttemptRow {
	if t.attempts == nil {
		t.attempts = map[job.Seq]*job.AttemptRow{}
		ended := t.state.Ended()
		for i := range ended {
			t.attempts[ended[i].Seq] = &ended[i]
		}
	}
	return t.attempts[seq]
}

// failures notes who is to be told of attempts that failed.
func (t *teller) failures(book *notice.Book) {
	ended := t.state.Ended()
	for i := range ended {
		a := &ended[i]
		why := a.Result.Reason
		failed := a.Outcome == job.OutcomeBuried || a.Outcome == job.OutcomeReleased && !a.Started.IsZero() && why != job.ReasonNone && !why.Innocent()
		l, ok := t.live(a.Seq)
		if !failed || !ok {
			continue
		}
		group, _ := t.state.Group(l.Group)
		if strings.HasPrefix(group, notice.HookPrefix) {
			continue
		}
		q, _ := t.state.Queue(l.Queue)
		s := notice.Subject{Group: group, Queue: q.Name, Account: t.payer(&l), Digest: l.Digest}
		book.Match(notice.Failed, &s, func(n *notice.Notice) {
			d := t.delivery(n, notice.Failed, t.state.Now())
			d.Seq, d.Version = l.Seq, l.Version
			f := &d.Facts
			f.Group, f.Queue, f.ID, f.Account = text(group), q.Name, taskText(l.Digest), text(s.Account)
			f.State, f.Reason = l.State.String(), why.Word()
			f.SetAttempt(&a.Attempt)
		})
	}
}

// groupEnd notes who is to be told that a group has ended, if it has.
func (t *teller) groupEnd(book *notice.Book, group string) {
	named, _ := t.state.GroupNamed(group)
	counts := map[string]int64{}
	for s, n := range named.Counts {
		state := job.State(s)
		if n > 0 && unfinished(state) {
			return
		}
		if n > 0 {
			counts[state.String()] = n
		}
	}
	book.Groups(group, func(n *notice.Notice) {
		d := t.delivery(n, notice.GroupEnd, t.state.Now())
		d.KeyKnown = true
		d.Facts.Group, d.Facts.Counts = text(group), counts
	})
}

// delivery is a new one, which is sent with the others of the turn.
func (t *teller) delivery(n *notice.Notice, kind notice.Event, at job.Time) *notice.Delivery {
	d := t.newDelivery(n.Name, kind, at)
	t.fresh = append(t.fresh, d)
	return d
}

func (w *writer) newDelivery(name string, kind notice.Event, at job.Time) *notice.Delivery {
	w.notices.made++
	return &notice.Delivery{
		// The seed tells namespaces of servers apart, the incarnation their loads.
		ID:     fmt.Sprintf("msg_%016x%08x%010x", w.state.Meta().Seed, w.ns.store.Epoch(), w.notices.made),
		Notice: name, Event: kind, At: at, Since: w.state.Now(),
		Facts: notice.Facts{Namespace: w.ns.name, Notice: name, Event: kind.String()},
	}
}

// send stores the deliveries with this turn, and has them delivered after it.
func (t *teller) send() {
	if len(t.fresh) == 0 {
		return
	}
	for _, d := range t.fresh {
		body, err := job.Encode(nil, d)
		if err != nil {
			panic(err) // a delivery is made of text and numbers
		}
		t.documents = append(t.documents, job.Document{Room: roomOut, Key: d.Place(), Body: body})
	}
	fresh, c := t.fresh, t.ns.courier
	t.later(func() {
		for _, d := range fresh {
			c.offer(d.Notice, d.Place(), 0)
		}
	})
}
