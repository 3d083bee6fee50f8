package job

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// EventRow is an entry of a namespace's log: who changed what of its settings, and
// what was decided about jobs that accounts pay for.
type EventRow struct {
	// N orders entries; it grows.
	N    uint64 `cbor:"1,keyasint"`
	At   Time   `cbor:"2,keyasint"`
	Kind string `cbor:"3,keyasint"`
	// Pool is the external scheduler's pool that it is about; empty: the
	// namespace's own jobs.
	Pool    string `cbor:"4,keyasint,omitempty"`
	Account string `cbor:"5,keyasint,omitempty"`
	// Task is a job as people name it, or an external task.
	Task   string `cbor:"6,keyasint,omitempty"`
	Worker string `cbor:"7,keyasint,omitempty"`
	// Who made a change: the name of a token.
	Who string `cbor:"8,keyasint,omitempty"`
	// Details by name; see EventKinds.
	Details map[string]string `cbor:"9,keyasint,omitempty"`
	// Count numbers the entries of its log (see Log), without gaps.
	Count uint64 `cbor:"10,keyasint,omitempty"`
}

// The kinds of entries. The first are audited: somebody changed what others rely
// on. The last are about tasks: jobs that an account pays for, and those of pools.
const (
	EventAccountAdded       = "account_added"
	EventAccountChanged     = "account_changed"
	EventAccountReset       = "account_reset"
	EventAccountRemoved     = "account_removed"
	EventDefaultAccount     = "default_account"
	EventPoolCreated        = "pool_created"
	EventPoolChanged        = "pool_changed"
	EventPoolWiped          = "pool_wiped"
	EventPoolDeleted        = "pool_deleted"
	EventQueueSet           = "queue_set"
	EventQueueDeleted       = "queue_deleted"
	EventLimitSet           = "limit_set"
	EventKindSet            = "kind_set"
	EventKindReset          = "kind_reset"
	EventLimitRemoved       = "limit_removed"
	EventPaused             = "paused"
	EventDraining           = "draining"
	EventResumed            = "resumed"
	EventWorkerDrained      = "worker_drained"
	EventWorkerResumed      = "worker_resumed"
	EventTokenMade          = "token_made"
	EventTokenRevoked       = "token_revoked"
	EventSecretSet          = "secret_set"
	EventSecretRemoved      = "secret_removed"
	EventNamespaceCreated   = "namespace_created"
	EventNamespaceDestroyed = "namespace_destroyed"
	EventServerStopped      = "server_stopped"
	EventScheduleAdded      = "schedule_added"
	EventScheduleChanged    = "schedule_changed"
	EventScheduleRemoved    = "schedule_removed"
	EventScheduleRun        = "schedule_run"
	EventNoticeAdded        = "notice_added"
	EventNoticeChanged      = "notice_changed"
	EventNoticeRemoved      = "notice_removed"
	EventNoticeTested       = "notice_tested"

	EventEnqueued      = "enqueued"
	EventAssigned      = "assigned"
	EventCompleted     = "completed"
	EventPreempted     = "preempted"
	EventReprioritized = "reprioritized"
	EventUnassigned    = "unassigned"
)

// EventKind is what there is to know of a kind of entries.
type EventKind struct {
	Word string
	// Audit: somebody made a change. Such entries are kept longer.
	Audit bool
	// Text is what happened, for people.
	Text string
	// Details are the names that an entry may have beside its own fields.
	Details []string
}

// ofTask are the details that an entry about any task may have: what it wants,
// whether its account exists and what that had, what it has cost (all of it before
// the event), what its worker offers, and whether the news came because the
// scheduler had asked for it.
var ofTask = []string{"base_labels", "provisionable_labels", "account_valid", "account_balance", "cost", "worker_labels", "is_callback"}

// ofAccount and ofPool are settings: what they are or were or, of a change, those that
// changed as "old -> new"; see Differences.
var (
	ofAccount = []string{"rate", "window", "max_fanout", "label_limits", "no_free", "description", "balance"}
	ofPool    = []string{"no_preemption", "worker_expiry", "waiting", "running", "idle_workers", "accounts"}
)

// ofQueue are the settings of a queue, as changes.
var ofQueue = []string{"definition", "runtime", "priority", "weight", "paused", "max_running", "max_per_request", "max_attempts", "continuous",
	"interval", "order", "then", "lease", "retries", "losses", "backoff", "account", "on_lost", "min_memory", "keep_finished", "keep_finished_for", "labels", "prefer"}

// ofLimit are the settings of a limit.
var ofLimit = []string{"amount", "windows"}

// ofKind are the settings of what is learned, as changes.
var ofKind = []string{"min_runs", "quantile", "half_life", "round_memory", "round_disk", "round_time", "below", "off"}

// ofSchedule and ofNotice are settings as well. What is secret in a target is left out.
var (
	ofSchedule = []string{"schedule", "expression", "zone", "missed", "missed_max", "overlap", "paused", "start", "end", "queue", "command", "job"}
	ofNotice   = []string{"notice", "scope", "on", "url", "queue", "command", "secret", "give_up", "paused"}
)

// eventKinds is the closed table of kinds; it only grows.
var eventKinds = []EventKind{
	{EventAccountAdded, true, "account added", ofAccount},
	{EventAccountChanged, true, "account changed", ofAccount},
	{EventAccountReset, true, "account's balance set to zero", []string{"balance"}},
	{EventAccountRemoved, true, "account removed", ofAccount},
	{EventDefaultAccount, true, "default account set", []string{"old", "new"}},
	{EventPoolCreated, true, "pool created", ofPool},
	{EventPoolChanged, true, "pool changed", ofPool},
	{EventPoolWiped, true, "pool emptied", ofPool},
	{EventPoolDeleted, true, "pool deleted", ofPool},
	{EventQueueSet, true, "queue made or changed", append([]string{"queue", "new"}, ofQueue...)},
	{EventQueueDeleted, true, "queue deleted", []string{"queue", "jobs"}},
	{EventLimitSet, true, "limit made or changed", append([]string{"limit", "new"}, ofLimit...)},
	{EventLimitRemoved, true, "limit lifted", append([]string{"limit"}, ofLimit...)},
	{EventKindSet, true, "settings of learning changed", append([]string{"kind"}, ofKind...)},
	{EventKindReset, true, "what was learned of a kind forgotten", []string{"kind", "runs"}},
	{EventPaused, true, "namespace paused", nil},
	{EventDraining, true, "namespace drained", nil},
	{EventResumed, true, "namespace resumed", nil},
	{EventWorkerDrained, true, "worker drained", nil},
	{EventWorkerResumed, true, "worker given jobs again", nil},
	{EventTokenMade, true, "token made", []string{"token", "name", "role", "namespace", "expires"}},
	{EventTokenRevoked, true, "token revoked", []string{"token", "name", "role", "namespace"}},
	{EventSecretSet, true, "secret set", []string{"secret"}},
	{EventSecretRemoved, true, "secret removed", []string{"secret"}},
	{EventNamespaceCreated, true, "namespace created", []string{"namespace"}},
	{EventNamespaceDestroyed, true, "namespace destroyed", []string{"namespace"}},
	{EventServerStopped, true, "server told to stop", []string{"hold", "drain"}},
	{EventScheduleAdded, true, "schedule added", ofSchedule},
	{EventScheduleChanged, true, "schedule changed", ofSchedule},
	{EventScheduleRemoved, true, "schedule removed", ofSchedule},
	{EventScheduleRun, true, "job of a schedule made by hand", []string{"schedule", "key"}},
	{EventNoticeAdded, true, "notice added", ofNotice},
	{EventNoticeChanged, true, "notice changed", ofNotice},
	{EventNoticeRemoved, true, "notice removed", ofNotice},
	{EventNoticeTested, true, "notice tested", []string{"notice"}},

	{EventEnqueued, false, "queued", with("tags")},
	{EventAssigned, false, "given to a worker", with("priority", "preempting", "preemption_cost", "preempted_task", "provision_required")},
	{EventCompleted, false, "ended", with("reason", "priority", "other_task", "other_bot")},
	{EventPreempted, false, "preempted", with("priority", "preempting_priority", "preempting_account", "preempting_task")},
	{EventReprioritized, false, "moved to another level", with("old", "new")},
	{EventUnassigned, false, "taken back, for its worker never came for it", with()},
}

func with(details ...string) []string { return append(details, ofTask...) }

// EventKinds is the table of kinds, the audited ones first.
func EventKinds() []EventKind { return slices.Clone(eventKinds) }

var eventKindByWord = func() map[string]*EventKind {
	m := make(map[string]*EventKind, len(eventKinds))
	for i := range eventKinds {
		m[eventKinds[i].Word] = &eventKinds[i]
	}
	return m
}()

// EventKindOf is the kind behind a word. Errors: Invalid.
func EventKindOf(word string) (EventKind, error) {
	if k := eventKindByWord[word]; k != nil {
		return *k, nil
	}
	words := make([]string, len(eventKinds))
	for i := range eventKinds {
		words[i] = eventKinds[i].Word
	}
	return EventKind{}, Errorf(Invalid, "%.60q is no kind of event; there are %s", word, strings.Join(words, ", "))
}

// EventLog is one of a namespace's two logs. They share their numbers, but each is
// trimmed by itself: however many tasks there are, it stays known who changed what.
type EventLog uint8

// The logs.
const (
	TaskLog EventLog = iota
	AuditLog
	EventLogs
)

// LogOf is the log that entries of a kind belong to.
func LogOf(kind string) EventLog {
	if k := eventKindByWord[kind]; k != nil && k.Audit {
		return AuditLog
	}
	return TaskLog
}

// Log is the log that the entry belongs to.
func (e *EventRow) Log() EventLog { return LogOf(e.Kind) }

// maxDetails bounds the details of an entry, in bytes.
const maxDetails = 16 << 10

// Validate checks an entry: its kind is one of the table, and its details are those
// of the kind and not too long. Errors: Invalid.
func (e *EventRow) Validate() error {
	kind, err := EventKindOf(e.Kind)
	if err != nil {
		return err
	}
	size := len(e.Pool) + len(e.Account) + len(e.Task) + len(e.Worker) + len(e.Who)
	for name, value := range e.Details {
		if !slices.Contains(kind.Details, name) {
			return Errorf(Invalid, "event %s has no detail %.60q", e.Kind, name)
		}
		size += len(name) + len(value)
	}
	if size > maxDetails {
		return Errorf(Invalid, "event %s has %d bytes; at most %d", e.Kind, size, maxDetails)
	}
	return nil
}

// Differences are the settings that a change changed, as "old -> new"; those that
// are nothing before or after stand as (none).
func Differences(before, after map[string]string) map[string]string {
	changed := map[string]string{}
	for name, now := range after {
		if was := before[name]; was != now {
			changed[name] = orNone(was) + " -> " + orNone(now)
		}
	}
	for name, was := range before {
		if _, stays := after[name]; !stays {
			changed[name] = orNone(was) + " -> " + orNone("")
		}
	}
	return changed
}

func orNone(s string) string { return cmp.Or(s, "(none)") }

// Settings are an account's settings as the log has them; those left at nothing are
// not there.
func (a *Account) Settings() map[string]string {
	m := map[string]string{}
	put := func(name, value string, is bool) {
		if is {
			m[name] = value
		}
	}
	put("rate", a.Rate.String(), a.Rate != Quota{})
	put("window", a.Window.String(), a.Window != 0)
	put("max_fanout", strconv.Itoa(a.MaxFanout), a.MaxFanout != 0)
	put("no_free", "true", a.NoFree)
	put("description", a.Description, a.Description != "")
	limits := make([]string, 0, len(a.LabelLimits))
	for _, key := range slices.Sorted(maps.Keys(a.LabelLimits)) {
		limits = append(limits, key+":"+strconv.Itoa(a.LabelLimits[key]))
	}
	put("label_limits", strings.Join(limits, " "), len(limits) > 0)
	return m
}

// Settings are a queue's settings as the log has them; those left at nothing are not
// there. Of its definition it has a digest.
func (q *Queue) Settings() map[string]string {
	m := map[string]string{}
	put := func(name string, v any, is bool) {
		if is {
			m[name] = fmt.Sprint(v)
		}
	}
	if q.Defined() {
		m["definition"] = fmt.Sprintf("%.8x", sha256.Sum256(q.Definition))
	}
	put("runtime", q.Runtime, q.Runtime != "")
	put("priority", q.Priority, q.Priority != 0)
	put("weight", q.Weight, q.Weight != 0)
	put("paused", q.Paused, q.Paused)
	put("max_running", q.MaxRunning, q.MaxRunning != 0)
	put("max_per_request", q.MaxPerRequest, q.MaxPerRequest != 0)
	put("max_attempts", q.MaxAttempts, q.MaxAttempts != 0)
	put("continuous", q.Continuous, q.Continuous)
	put("interval", q.Interval, q.Interval != 0)
	put("order", "key", q.Order == OrderKey)
	put("then", q.Then, q.Then != "")
	put("lease", q.Lease, q.Lease != 0)
	put("account", q.Account, q.Account != "")
	put("on_lost", "hold", q.OnLost != 0)
	put("min_memory", q.MinMemory, q.MinMemory != 0)
	put("keep_finished_for", q.KeepFinishedFor, q.KeepFinishedFor != 0)
	put("keep_attempts", q.KeepAttempts, q.KeepAttempts != 0)
	put("labels", strings.Join(q.Labels, " "), len(q.Labels) > 0)
	put("prefer", strings.Join(q.Prefer, " "), len(q.Prefer) > 0)
	if q.Retries != nil {
		m["retries"] = strconv.Itoa(*q.Retries)
	}
	if q.Losses != nil {
		m["losses"] = strconv.Itoa(*q.Losses)
	}
	if q.Backoff != nil {
		m["backoff"] = fmt.Sprintf("%v up to %v, jitter %v", q.Backoff.Base, q.Backoff.Cap, q.Backoff.Jitter)
	}
	if q.KeepFinished != nil {
		m["keep_finished"] = strconv.FormatInt(*q.KeepFinished, 10)
	}
	return m
}

// String is the quota of each level, the best first, as the log has it.
func (q Quota) String() string {
	var b []byte
	for i, v := range q {
		if i > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendFloat(b, v, 'g', 10, 64)
	}
	return string(b)
}
