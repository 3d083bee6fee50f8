package coordinate

import (
	"github.com/muster-queue/muster/coordinate/internal/backend"
	"github.com/muster-queue/muster/job"
)

// NewQueue is the queue of a work spec given as a dictionary, as it is read from
// a file or sent by a program: its definition, and the settings that follow from
// that. Errors: ErrNoWorkSpecName, ErrBadWorkSpecName, and Invalid for what no
// queue can have, and for a setting of the wrong type, which SetDefinition ignores
// as Coordinate does.
func NewQueue(spec map[string]any) (*job.Queue, error) {
	definition, err := backend.Definition(spec)
	if err != nil {
		return nil, err
	}
	q := new(job.Queue)
	if err := backend.SetDefinition(q, definition); err != nil {
		return nil, err
	}
	return q, backend.CheckSpec(definition)
}

// SetDefinition makes a queue that of a work spec; settings that a definition does
// not speak of stay as they are. Errors are those of NewQueue, and leave the queue
// as it was.
func SetDefinition(q *job.Queue, spec map[string]any) error {
	definition, err := backend.Definition(spec)
	if err != nil {
		return err
	}
	return backend.SetDefinition(q, definition)
}

// Settings are the settings of a queue that SetDefinition makes, by their names in
// the contract: what has to be sent to a server elsewhere.
func Settings() []string {
	return []string{
		"definition", "order", "priority", "weight", "paused", "can_be_continuous", "continuous", "interval",
		"max_running", "max_per_request", "max_attempts", "then", "runtime", "min_memory",
	}
}
