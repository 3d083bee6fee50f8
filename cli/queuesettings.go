package cli

import (
	"math"
	"slices"
	"strings"

	"github.com/muster-queue/muster/cli/input"
	"github.com/muster-queue/muster/cli/output"
	"github.com/muster-queue/muster/coordinate/cborrpc"
	"github.com/muster-queue/muster/job"
)

// queueSetting is a setting of a queue: how it is read and shown.
type queueSetting struct {
	name, help string
	set        func(q *job.Queue, text string) error
	get        func(q *job.Queue) any
}

// flag is the flag that sets it; that of labels is the one that jobs have.
func (s *queueSetting) flag() string {
	if s.name == "labels" {
		return "label"
	}
	return strings.ReplaceAll(s.name, "_", "-")
}

// list: the flag may be repeated, and set gets what was given, one a line.
func (s *queueSetting) list() bool { return s.name == "labels" || s.name == "prefer" }

var queueSettings = []queueSetting{
	{"priority", "`N`: queues with a larger one go first", whole(func(q *job.Queue) *int64 { return &q.Priority }), func(q *job.Queue) any { return q.Priority }},
	{"weight", "`N`: the share among queues of equal priority", whole(func(q *job.Queue) *int64 { return &q.Weight }), func(q *job.Queue) any { return q.Weight }},
	{"max_running", "at most `N` of its jobs run at once; 0 is no limit", whole(func(q *job.Queue) *int64 { return &q.MaxRunning }), func(q *job.Queue) any { return q.MaxRunning }},
	{"max_per_request", "at most `N` jobs for one request of a pulling worker; 0 is no limit", whole(func(q *job.Queue) *int64 { return &q.MaxPerRequest }), func(q *job.Queue) any { return q.MaxPerRequest }},
	{"max_attempts", "a job is tried at most `N` times, whatever happens; 0 is no limit", whole(func(q *job.Queue) *int64 { return &q.MaxAttempts }), func(q *job.Queue) any { return q.MaxAttempts }},
	{"retries", "a failed job is tried again `N` times", optional(func(q *job.Queue) **int { return &q.Retries }), func(q *job.Queue) any { return orNil(q.Retries) }},
	{"losses", "a job is lost at most `N` times before it counts as failed", optional(func(q *job.Queue) **int { return &q.Losses }), func(q *job.Queue) any { return orNil(q.Losses) }},
	{"backoff", "the pause `TIME` before a failed job is tried again, e.g. 1m", setBackoff, getBackoff},
	{"lease", "how long `TIME` a machine may be silent before its jobs go to another, e.g. 5m", setLease, func(q *job.Queue) any { return unless(q.Lease, 0) }},
	{"order", "order among equal priorities: `fifo` or key", setOrder, func(q *job.Queue) any { return orders[q.Order] }},
	{"on_lost", "what follows when a machine is gone for good: `rerun` or hold", setOnLost, func(q *job.Queue) any { return lostPolicies[q.OnLost] }},
	{"labels", "`KEY:VALUE` that workers must have for its jobs, from now on; may be repeated; '' is none", setLabels(func(q *job.Queue) *job.Labels { return &q.Labels }), func(q *job.Queue) any { return labelList(q.Labels) }},
	{"prefer", "`KEY:VALUE` that workers should have for its jobs, from now on; may be repeated; '' is none", setLabels(func(q *job.Queue) *job.Labels { return &q.Prefer }), func(q *job.Queue) any { return labelList(q.Prefer) }},
	{"keep_finished", "keep the newest `N` of its complete jobs; all is all of them", setKeep, getKeep},
	{"keep_finished_for", "keep complete jobs for `TIME`, e.g. 30d; 0 is for ever", setKeepFor, func(q *job.Queue) any { return unless(q.KeepFinishedFor, 0) }},
	{"keep_attempts", "keep the newest `N` attempts of a job; 0 is all of them", setKeepAttempts, func(q *job.Queue) any { return unless(q.KeepAttempts, 0) }},
	{"account", "the `ACCOUNT` that pays for its jobs that name none; none is no account of its own", setQueueAccount, func(q *job.Queue) any { return unless(q.Account, "") }},
	{"then", "the `QUEUE` that the outputs of its complete jobs are added to", setThen, func(q *job.Queue) any { return unless(q.Then, "") }},
	{"continuous", "`true`: a pulling worker gets a job made for it when there is none (for commands: \"muster cron add NAME '@after 5m'\")", setContinuous, func(q *job.Queue) any { return q.Continuous }},
	{"interval", "a continuous queue makes no job within `TIME` of the last", setInterval, func(q *job.Queue) any { return unless(q.Interval, 0) }},
	{"min_memory", "pulling workers that say what memory they have need this `SIZE`, e.g. 2G", setMinMemory, func(q *job.Queue) any { return unless(output.Bytes(q.MinMemory), 0) }},
	{"can_be_continuous", "", nil, func(q *job.Queue) any { return unless(q.CanBeContinuous, false) }},
	{"paused", "", nil, func(q *job.Queue) any { return q.Paused }},
	{"runtime", "", nil, func(q *job.Queue) any { return unless(q.Runtime, "") }},
	{"definition", "", nil, getDefinition},
}

var (
	orders       = []string{"fifo", "key"}
	lostPolicies = []string{"rerun", "hold"}
)

func whole(at func(*job.Queue) *int64) func(*job.Queue, string) error {
	return func(q *job.Queue, text string) (err error) {
		*at(q), err = input.ParseWhole(text)
		return err
	}
}

func optional(at func(*job.Queue) **int) func(*job.Queue, string) error {
	return func(q *job.Queue, text string) error {
		n, err := input.ParseWhole(text)
		v := int(n)
		*at(q) = &v
		return err
	}
}

func orNil(p *int) any {
	if p == nil {
		return nil
	}
	return *p
}

func setLease(q *job.Queue, text string) (err error) {
	q.Lease, err = input.ParseTime(text)
	return err
}

func setBackoff(q *job.Queue, text string) error {
	d, err := input.ParseTime(text)
	q.Backoff = &job.Backoff{Base: d, Cap: d}
	return err
}

func getBackoff(q *job.Queue) any {
	if q.Backoff == nil {
		return nil
	}
	return q.Backoff.Base
}

func setLabels(at func(*job.Queue) *job.Labels) func(*job.Queue, string) error {
	return func(q *job.Queue, text string) error {
		*at(q) = job.Labels(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })).Sorted()
		return nil // the queue's own check says what is wrong
	}
}

// labelList are labels as a list, also when there are none.
func labelList(l job.Labels) []string { return append([]string{}, l...) }

func setKeep(q *job.Queue, text string) error {
	if text == "all" {
		q.KeepFinished = nil
		return nil
	}
	n, err := input.ParseWhole(text)
	q.KeepFinished = &n
	return err
}

func getKeep(q *job.Queue) any {
	if q.KeepFinished == nil {
		return nil
	}
	return *q.KeepFinished
}

func setKeepFor(q *job.Queue, text string) (err error) {
	if text != "0" {
		q.KeepFinishedFor, err = input.ParseTime(text)
	}
	return err
}

func setKeepAttempts(q *job.Queue, text string) (err error) {
	q.KeepAttempts, err = input.ParseWhole(text)
	return err
}

func setThen(q *job.Queue, text string) error {
	q.Then = text
	return nil
}

func setQueueAccount(q *job.Queue, text string) error {
	if text != noAccount {
		q.Account = text
	}
	return nil
}

func setContinuous(q *job.Queue, text string) error {
	n, err := wordOf([]string{"false", "true"}, text)
	q.Continuous = n == 1
	return err
}

func setInterval(q *job.Queue, text string) (err error) {
	q.Interval, err = input.ParseTime(text)
	return err
}

func setMinMemory(q *job.Queue, text string) (err error) {
	q.MinMemory, err = input.ParseAmount("memory", text)
	return err
}

// definition is a work spec: for programs that read JSON an object, for others a
// line of text.
type definition cborrpc.Value

// String is the document on one line.
func (d definition) String() string { return cborrpc.Value(d).Text(math.MaxInt) }

// MarshalJSON is the document as JSON has it.
func (d definition) MarshalJSON() ([]byte, error) { return cborrpc.Value(d).JSON(), nil }

func getDefinition(q *job.Queue) any {
	if !q.Defined() {
		return nil
	}
	return definition(q.Definition)
}

func setOrder(q *job.Queue, text string) error {
	n, err := wordOf(orders, text)
	q.Order = job.Order(n)
	return err
}

func setOnLost(q *job.Queue, text string) error {
	n, err := wordOf(lostPolicies, text)
	q.OnLost = job.OnLost(n)
	return err
}

func wordOf(words []string, text string) (int, error) {
	if n := slices.Index(words, text); n >= 0 {
		return n, nil
	}
	return 0, job.Errorf(job.Invalid, "%q is none of %s", text, strings.Join(words, ", "))
}

// queueDefaults are what holds where a queue says nothing.
var queueDefaults = map[string]any{
	"weight": int64(job.DefaultWeight), "retries": job.DefaultRetries, "losses": job.DefaultLosses,
	"backoff": job.DefaultBackoff.Base, "lease": job.DefaultLease,
}

// queueDefault is what a setting that is not set means. In a queue with a definition
// attempts alone are counted, so that the other budgets have no default.
func queueDefault(name string, q *job.Queue, value any) (any, bool) {
	usual, known := queueDefaults[name]
	if !known || value != nil && value != any(int64(0)) || len(q.Definition) > 0 && name != "weight" && name != "lease" {
		return nil, false
	}
	return usual, true
}
