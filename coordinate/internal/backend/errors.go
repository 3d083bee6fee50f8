package backend

import "github.com/muster-queue/muster/job"

// What can be wrong with the name of a work spec.
var (
	ErrNoWorkSpecName  = job.Errorf(job.Invalid, "No 'name' key in work spec")
	ErrBadWorkSpecName = job.Errorf(job.Invalid, "Work spec 'name' must be a string")
)
