package coordinate

import (
	"github.com/muster-queue/muster/coordinate/internal/backend"
	"github.com/muster-queue/muster/job"
)

// What can be wrong, as values to be tested with errors.Is.
var (
	// ErrNoWorkSpecName means that the dictionary of a work spec has no "name".
	ErrNoWorkSpecName = backend.ErrNoWorkSpecName
	// ErrBadWorkSpecName means that its "name" is not a string.
	ErrBadWorkSpecName = backend.ErrBadWorkSpecName
	// ErrChangedName: SetData would change the name of the work spec.
	ErrChangedName = job.Errorf(job.Invalid, "Cannot change the name of a work spec")
	// ErrLostLease: another attempt has taken this one's place.
	ErrLostLease = job.Errorf(job.LostLease, "No longer the active attempt of the work unit")
	// ErrNotPending: the attempt has ended.
	ErrNotPending = job.Errorf(job.Conflict, "The attempt is not pending")
	// ErrCannotBecomeContinuous: the work spec does not say "continuous: true".
	ErrCannotBecomeContinuous = job.Errorf(job.Conflict, "Cannot make a work spec continuous that does not allow it")
	// ErrWrongBackend: objects of two backends were mixed.
	ErrWrongBackend = job.Errorf(job.Invalid, "The object belongs to another backend")
	// ErrNoWork: there is nothing to do.
	ErrNoWork = job.Errorf(job.NotFound, "No work")
	// ErrWorkUnitNotList: what should be a work unit is neither string nor list.
	ErrWorkUnitNotList = job.Errorf(job.Invalid, "work unit not a list")
	// ErrWorkUnitTooShort: a work unit's list has fewer than two items.
	ErrWorkUnitTooShort = job.Errorf(job.Invalid, "too few parameters to work unit")
	// ErrBadPriority: a priority is not a number.
	ErrBadPriority = job.Errorf(job.Invalid, "priority is not a number")
	// ErrGone: the object, or what it is part of, was deleted meanwhile.
	ErrGone = job.Errorf(job.NotFound, "The object no longer exists")
)

// ErrNoSuchWorkSpec means that there is no work spec of that name.
type ErrNoSuchWorkSpec struct{ Name string }

// Error names the work spec.
func (e ErrNoSuchWorkSpec) Error() string { return "No such work spec " + e.Name }

// Unwrap gives the error its kind.
func (e ErrNoSuchWorkSpec) Unwrap() error { return job.ErrNoQueue }

// ErrNoSuchWorkUnit means that there is no work unit of that name.
type ErrNoSuchWorkUnit struct{ Name string }

// Error names the work unit.
func (e ErrNoSuchWorkUnit) Error() string { return "No such work unit " + e.Name }

// Unwrap gives the error its kind.
func (e ErrNoSuchWorkUnit) Unwrap() error { return job.ErrNoJob }
