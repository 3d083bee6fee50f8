package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/schedule"
)

// Explanation is why a job is not running (or that it is).
type Explanation struct {
	State job.State
	// Summary is one sentence for people.
	Summary   string
	Obstacles []Obstacle
}

// Obstacle is one thing in the way, with the word programs know it by and the
// time it ends, where that is known.
type Obstacle struct {
	Word, Text string
	Until      time.Time
}

// Explain says why a job is not running. It asks the very code that schedules.
func (n *Namespace) Explain(ctx context.Context, id JobID) (*Explanation, error) {
	f, err := n.find(ctx, id)
	if err != nil {
		return nil, err
	}
	if f.end != 0 {
		return &Explanation{State: job.Complete, Summary: "It is complete; it ended at " + f.ended.Std().Format(time.DateTime) + " UTC."}, nil
	}
	e, err := call(ctx, n, normal, func(w *writer) (*explaining, error) {
		l, ok := w.state.BySeq(f.live.Seq)
		if !ok {
			return nil, job.Wrap(job.ErrNoJob, "explain job", id.String())
		}
		e := &explaining{Explanation: Explanation{State: l.State}}
		w.explain(e, &l)
		return e, nil
	})
	if err != nil {
		return nil, err
	}
	if err := e.finish(ctx, n); err != nil {
		return nil, err
	}
	return &e.Explanation, nil
}

// explaining is an explanation on its way. What it says of another job is said when
// that one's name was read, off the writer.
type explaining struct {
	Explanation
	other job.Seq
	tell  func(name string)
	// after is a sentence that follows the summary.
	after string
	// blocked is the job itself, if it waits for others.
	blocked job.Seq
}

// about says something that names another job.
func (e *explaining) about(other job.Seq, tell func(name string)) { e.other, e.tell = other, tell }

func (e *explaining) finish(ctx context.Context, n *Namespace) error {
	if e.tell != nil {
		names, err := n.Names(ctx, []job.Seq{e.other})
		if err != nil {
			return err
		}
		id := JobID{Seq: e.other}
		if named, ok := names[e.other]; ok {
			id.Queue, id.Key = named.Job.Queue, named.Job.Key
		}
		e.tell(id.String())
	}
	if err := e.explainBlocked(ctx, n); err != nil {
		return err
	}
	if e.Summary == "" && len(e.Obstacles) > 0 {
		e.Summary = e.Obstacles[0].Text
	}
	if e.after != "" {
		e.Summary = strings.TrimSuffix(e.Summary, ".") + ". " + e.after
	}
	return nil
}

// maxBlocking is of how many dependencies it is said what they wait for.
const maxBlocking = 10

// explainBlocked says what a job waits for.
func (e *explaining) explainBlocked(ctx context.Context, n *Namespace) error {
	if e.blocked == 0 {
		return nil
	}
	i, err := n.Get(ctx, JobID{Seq: e.blocked}, false, false)
	if err != nil {
		return err
	}
	e.Summary = "It waits for other jobs."
	if i.Dependencies == nil {
		return nil // they have ended just now
	}
	more := 0
	for _, stuck := range []bool{true, false} {
		for _, w := range i.Dependencies.Waits {
			switch {
			case w.Met || w.Never != stuck:
			case len(e.Obstacles) == maxBlocking:
				more++
			default:
				e.add("blocked", 0, "It waits for %s.", w.Text)
			}
		}
	}
	if more > 0 {
		e.add("blocked", 0, "It waits for %d more.", more)
	}
	if len(e.Obstacles) == 1 {
		e.Summary = e.Obstacles[0].Text
	}
	return nil
}

func (e *Explanation) add(word string, until job.Time, format string, args ...any) {
	e.Obstacles = append(e.Obstacles, Obstacle{Word: word, Text: fmt.Sprintf(format, args...), Until: until.Std()})
}

func (w *writer) explain(e *explaining, l *job.Live) {
	now := w.state.Now()
	switch l.State {
	case job.Running:
		e.Summary = fmt.Sprintf("It is running, for %v, as attempt %d%s%s.", now.Sub(l.Started).Round(time.Second), l.Number, w.on(l), w.paid(l))
		w.explainStop(e, l)
	case job.Reserved:
		w.explainStop(e, l)
		e.add("held", 0, "It is assigned%s and waits there for its turn.", w.on(l))
	case job.Lost:
		w.explainLost(e, l)
	case job.Delayed:
		e.add("delayed", l.Due, "It is delayed for another %v%s; a kick makes it ready now.", l.Due.Sub(now).Round(time.Second), afterFailure(l))
	case job.Buried:
		w.explainBuried(e, l)
	case job.Blocked:
		e.blocked = l.Seq
	case job.Ready:
		w.explainReady(e, l)
	}
	w.explainNeeds(e, l)
}

func (w *writer) on(l *job.Live) string {
	row, ok := w.state.Worker(l.Worker)
	if !ok {
		return ""
	}
	return " on " + row.Name
}

func (w *writer) explainLost(e *explaining, l *job.Live) {
	if l.Flags&job.FlagHold != 0 {
		e.add("lost", 0, "Its worker fell silent, and its policy is to hold: cancel or kick it once you know that its command is dead.")
		return
	}
	e.add("lost", 0, "Its worker fell silent%s; it is tried again when its lease has ended, or at once if you cancel it, which says that its command is dead, and kick it.", w.on(l))
}

func afterFailure(l *job.Live) string {
	if l.Failures == 0 {
		return ""
	}
	return fmt.Sprintf(" after failure %d (%s)", l.Failures, l.Reason)
}

func (w *writer) explainBuried(e *explaining, l *job.Live) {
	if short, is := w.sched.TooLarge(l.Shape); is && l.Reason == job.ReasonResource {
		e.add("too_large", 0, "It is buried: it needs %s of %s, and the largest agent present has %s. Change what it needs (muster mod), or start a larger agent and kick it.",
			job.ShowAmount(short.Resource, short.Need), short.Resource, job.ShowAmount(short.Resource, short.Largest))
		return
	}
	e.add("buried", 0, "It is buried (%s) and waits for a person: kick it to try again.", buriedFor(l))
}

func buriedFor(l *job.Live) string {
	if l.Reason == job.ReasonExit {
		return fmt.Sprintf("%s: exit code %d", l.Reason, l.Exit)
	}
	return l.Reason.String()
}

func (w *writer) explainReady(e *explaining, l *job.Live) {
	m := w.state.Meta()
	if m.Draining {
		e.add("draining", 0, "The server is draining: it gives out no jobs.")
	}
	if m.Paused {
		e.add("paused", 0, "The namespace is paused; resume it.")
	}
	x := w.sched.Explain(l.Shape, schedule.Item{Seq: l.Seq, Priority: l.Priority, Place: l.Place, Group: l.Group}, w.state.Now())
	switch x.Cause {
	case schedule.CausePreempting:
		w.explainClaim(e, &x)
	case schedule.CauseNext, schedule.CauseUnknown:
	case schedule.CauseLimit:
		e.add(x.Cause.String(), x.Opens, "%s", x)
	default:
		e.add(x.Cause.String(), x.Start, "%s", x)
		w.explainLabels(e, l, x.Cause)
	}
	if l.Reason == job.ReasonPreempted {
		e.after = fmt.Sprintf("It was preempted as attempt %d, and waits at its old place again, at no cost in retries.", l.Number)
	}
	if len(e.Obstacles) == 0 && e.tell == nil {
		e.Summary = "It is ready and next in line."
	}
}
