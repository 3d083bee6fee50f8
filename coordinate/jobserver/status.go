package jobserver

import "github.com/muster-queue/muster/job"

// WorkSpecStatus is the state of a work spec.
type WorkSpecStatus int

// The states of a work spec.
const (
	Runnable WorkSpecStatus = 1
	Paused   WorkSpecStatus = 2
)

// WorkUnitStatus is the state of a work unit.
type WorkUnitStatus int

// The states of a work unit. Nothing is ever Blocked, but clients ask for it.
const (
	Available WorkUnitStatus = 1
	Blocked   WorkUnitStatus = 2
	Pending   WorkUnitStatus = 3
	Finished  WorkUnitStatus = 4
	Failed    WorkUnitStatus = 5
)

// states are those of a job that make up each status; a unit that is not to
// begin yet is available to clients.
var states = map[WorkUnitStatus][]job.State{
	Available: {job.Ready, job.Delayed, job.Blocked},
	Pending:   {job.Reserved, job.Running, job.Lost},
	Finished:  {job.Complete},
	Failed:    {job.Buried},
}

// statuses is the same the other way round.
var statuses = func() (all [job.NumStates]WorkUnitStatus) {
	for status, list := range states {
		for _, s := range list {
			all[s] = status
		}
	}
	return all
}()

// statesOf are the states of jobs that any of the statuses stands for; a status
// that does not exist matches nothing.
func statesOf(wanted []WorkUnitStatus) []job.State {
	found := []job.State{}
	for _, status := range wanted {
		found = append(found, states[status]...)
	}
	return found
}
