package external

import (
	"strconv"
	"strings"

	"github.com/muster-queue/muster/dispatch"
	"github.com/muster-queue/muster/job"
)

// sink collects what happens to tasks in a turn.
type sink []dispatch.Event

// AddEvent implements dispatch.EventSink.
func (s *sink) AddEvent(e dispatch.Event) { *s = append(*s, e) }

// WithFields implements dispatch.EventSink.
func (s *sink) WithFields(isCallback bool) dispatch.EventSink {
	if !isCallback {
		return s
	}
	return callbackSink{s}
}

// callbackSink marks events that are caused by news that were asked for.
type callbackSink struct{ *sink }

// AddEvent implements dispatch.EventSink.
func (s callbackSink) AddEvent(e dispatch.Event) {
	e.IsCallback = true
	s.sink.AddEvent(e)
}

// row is an event as an entry of the log.
func row(pool string, e *dispatch.Event) job.EventRow {
	d := details{}
	d.list("base_labels", e.BaseLabels)
	d.list("provisionable_labels", e.ProvisionableLabels)
	d.list("worker_labels", e.WorkerLabels)
	d.flag("account_valid", e.AccountValid)
	d.flag("is_callback", e.IsCallback)
	d.quota("account_balance", e.AccountBalance)
	d.quota("cost", e.Cost)
	switch e.Kind {
	case dispatch.Enqueued:
		d.list("tags", e.Tags)
	case dispatch.Completed:
		d.text("reason", e.Reason.String())
		d.text("other_task", string(e.OtherTask))
		d.text("other_bot", string(e.OtherWorker))
	case dispatch.Assigned:
		d.text("priority", priority(e.Priority))
		d.flag("provision_required", e.ProvisionRequired)
		d.flag("preempting", e.Preempting)
		d.quota("preemption_cost", e.PreemptionCost)
		d.text("preempted_task", string(e.PreemptedTask))
	case dispatch.Preempted:
		d.text("priority", priority(e.Priority))
		d.text("preempting_priority", priority(e.PreemptingPriority))
		d.text("preempting_account", string(e.PreemptingAccount))
		d.text("preempting_task", string(e.PreemptingTask))
	case dispatch.Reprioritized:
		d.text("old", priority(e.OldPriority))
		d.text("new", priority(e.NewPriority))
	}
	return job.EventRow{
		Kind: e.Kind.String(), Pool: pool, Account: string(e.AccountID), Task: string(e.RequestID), Worker: string(e.WorkerID), Details: d,
	}
}

func priority(p dispatch.Priority) string { return strconv.Itoa(int(p)) }

// details are those of an entry; what says nothing is left out.
type details map[string]string

func (d details) text(name, value string) {
	if value != "" {
		d[name] = value
	}
}

func (d details) flag(name string, value bool) {
	if value {
		d[name] = "true"
	}
}

func (d details) quota(name string, b dispatch.Balance) {
	if b != (dispatch.Balance{}) {
		d[name] = job.Quota(b).String()
	}
}

// maxWords bounds what an entry has of a list: it tells what happened, and need
// not repeat all that a worker can do.
const maxWords = 2048

// list joins words by blanks, as many as there is room for.
func (d details) list(name string, words []string) {
	var b strings.Builder
	for i, w := range words {
		if b.Len()+len(w) > maxWords {
			b.WriteString(" …")
			break
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(w)
	}
	d.text(name, b.String())
}
