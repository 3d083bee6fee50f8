package coordinate

import (
	"slices"

	"github.com/muster-queue/muster/job"
)

// WorkUnitStatus is the state of a work unit in the Go API.
type WorkUnitStatus int

// The states of work units. AnyStatus matches every one in a query.
const (
	AnyStatus WorkUnitStatus = iota
	AvailableUnit
	PendingUnit
	FinishedUnit
	FailedUnit
	DelayedUnit
)

// unitStates are the states of a job that make up each status.
var unitStates = map[WorkUnitStatus][]job.State{
	AvailableUnit: {job.Ready, job.Blocked},
	PendingUnit:   {job.Reserved, job.Running, job.Lost},
	FinishedUnit:  {job.Complete},
	FailedUnit:    {job.Buried},
	DelayedUnit:   {job.Delayed},
}

// statusOf is the status of a job's state.
func statusOf(s job.State) WorkUnitStatus {
	for status, states := range unitStates {
		if slices.Contains(states, s) {
			return status
		}
	}
	return AnyStatus
}

// statesOf are the states of jobs that a query's statuses mean; nil means all.
func statesOf(statuses []WorkUnitStatus) []job.State {
	if statuses == nil || slices.Contains(statuses, AnyStatus) {
		return nil
	}
	states := []job.State{}
	for _, status := range statuses {
		states = append(states, unitStates[status]...)
	}
	return states
}

var unitStatusWords = words{"any", "available", "pending", "finished", "failed", "delayed"}

// String is the status's word.
func (s WorkUnitStatus) String() string { return unitStatusWords.word(int(s)) }

// MarshalText writes the word.
func (s WorkUnitStatus) MarshalText() ([]byte, error) { return unitStatusWords.marshal(int(s)) }

// UnmarshalText reads the word.
func (s *WorkUnitStatus) UnmarshalText(text []byte) error {
	n, err := unitStatusWords.parse("work unit status", text)
	*s = WorkUnitStatus(n)
	return err
}

// AttemptStatus is the state of an attempt in the Go API.
type AttemptStatus int

// The states of attempts.
const (
	Pending AttemptStatus = iota
	Expired
	Finished
	Failed
	Retryable
)

var attemptStatusWords = words{"pending", "expired", "finished", "failed", "retryable"}

// String is the status's word.
func (s AttemptStatus) String() string { return attemptStatusWords.word(int(s)) }

// MarshalText writes the word.
func (s AttemptStatus) MarshalText() ([]byte, error) { return attemptStatusWords.marshal(int(s)) }

// UnmarshalText reads the word.
func (s *AttemptStatus) UnmarshalText(text []byte) error {
	n, err := attemptStatusWords.parse("attempt status", text)
	*s = AttemptStatus(n)
	return err
}

// words are the names of a status's values, by number.
type words []string

func (w words) word(n int) string {
	if n < 0 || n >= len(w) {
		return "unknown"
	}
	return w[n]
}

func (w words) marshal(n int) ([]byte, error) {
	if n < 0 || n >= len(w) {
		return nil, job.Errorf(job.Invalid, "status %d is not known", n)
	}
	return []byte(w[n]), nil
}

func (w words) parse(what string, text []byte) (int, error) {
	n := slices.Index(w, string(text))
	if n < 0 {
		return 0, job.Errorf(job.Invalid, "%s %q is not known", what, cutText(text))
	}
	return n, nil
}

func cutText(text []byte) string { return string(text[:min(len(text), 40)]) }
