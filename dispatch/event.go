package dispatch

import (
	"slices"
	"time"
)

// EventSink takes what happens to tasks.
type EventSink interface {
	// AddEvent takes an event; it may keep it.
	AddEvent(Event)
	// WithFields is a sink for events that are caused by news that were asked for
	// (callbacks), or were not.
	WithFields(isCallback bool) EventSink
}

// NullEventSink takes events and forgets them.
var NullEventSink EventSink = nullSink{}

type nullSink struct{}

func (nullSink) AddEvent(Event)              {}
func (nullSink) WithFields(_ bool) EventSink { return nullSink{} }

// listening reports whether it is worth making events.
func listening(events EventSink) bool {
	_, null := events.(nullSink)
	return events != nil && !null
}

// EventKind is what happened to a task. The high byte tells whose doing it was: 1 of
// the outside, 2 of the scheduler.
type EventKind int

// The kinds of events.
const (
	Enqueued      EventKind = 0x101
	Completed     EventKind = 0x102
	Assigned      EventKind = 0x201
	Preempted     EventKind = 0x202
	Reprioritized EventKind = 0x203
	Unassigned    EventKind = 0x204
)

var kindWords = map[EventKind]string{
	Enqueued: "enqueued", Completed: "completed", Assigned: "assigned", Preempted: "preempted", Reprioritized: "reprioritized",
	Unassigned: "unassigned",
}

// String is the kind's word.
func (k EventKind) String() string { return kindWords[k] }

// CompletedReason is why a task was forgotten.
type CompletedReason int

// The reasons.
const (
	// BotIdle: its worker is idle.
	BotIdle CompletedReason = 1 + iota
	// IdleTaskAbsent: it waits no more.
	IdleTaskAbsent
	// RunningTaskAbsent: it runs no more.
	RunningTaskAbsent
	// InconsistentBotForTask: it runs, or ran, on another worker.
	InconsistentBotForTask
	// InconsistentTaskForBot: its worker runs another task.
	InconsistentTaskForBot
)

var reasonWords = map[CompletedReason]string{
	BotIdle: "bot_idle", IdleTaskAbsent: "idle_task_absent", RunningTaskAbsent: "running_task_absent",
	InconsistentBotForTask: "inconsistent_bot_for_task", InconsistentTaskForBot: "inconsistent_task_for_bot",
}

// String is the reason's word.
func (r CompletedReason) String() string { return reasonWords[r] }

// Event is something that happened to a task. After the common fields come those of
// one kind each.
type Event struct {
	Kind                            EventKind
	Time                            time.Time
	RequestID                       RequestID
	BaseLabels, ProvisionableLabels Labels
	AccountID                       AccountID
	// AccountValid: there is such an account. AccountBalance is what it had, before
	// anything was paid for this.
	AccountValid   bool
	AccountBalance Balance
	// Cost is what the task had cost.
	Cost Balance
	// WorkerID and WorkerLabels are of the worker that the task runs on, if it does.
	WorkerID     WorkerID
	WorkerLabels Labels
	IsCallback   bool

	Tags []string // Enqueued

	Reason      CompletedReason // Completed
	OtherTask   RequestID       // and InconsistentTaskForBot
	OtherWorker WorkerID        // and InconsistentBotForTask

	Priority          Priority // Assigned, and Preempted: what the victim ran at
	ProvisionRequired bool     // Assigned, as the three below
	Preempting        bool
	PreemptionCost    Balance
	PreemptedTask     RequestID

	PreemptingAccount  AccountID // Preempted
	PreemptingTask     RequestID
	PreemptingPriority Priority

	OldPriority, NewPriority Priority // Reprioritized
}

// event has the common fields of an event about a request, on a worker or on none.
func (s *Scheduler) event(kind EventKind, r *request, w *worker, t time.Time) Event {
	p := r.shape.payer
	e := Event{
		Kind: kind, Time: t, RequestID: r.id, BaseLabels: slices.Clone(r.shape.base),
		ProvisionableLabels: slices.Clone(r.shape.provisionable), AccountID: p.id, AccountValid: p.config != nil,
	}
	if e.AccountValid {
		e.AccountBalance = s.reckoned()[p.id]
	}
	if w != nil {
		e.WorkerID, e.WorkerLabels = w.id, slices.Clone(w.labels)
	}
	if r.worker != nil {
		e.Cost, _ = s.cost(r)
	}
	return e
}
