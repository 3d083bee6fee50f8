package engine

import (
	"context"

	"github.com/muster-queue/muster/job"
)

// wakeful are the rooms of documents because of which a namespace has something to
// do although nobody asks it for anything.
var wakeful = []string{roomCron, roomOut}

// wake loads the namespaces that have something to do by themselves. It is called
// when the server can be reached; one that is made later is loaded anyway.
func (e *Engine) wake(ctx context.Context) {
	names, err := e.store.Namespaces(ctx)
	for _, name := range names {
		if ctx.Err() != nil {
			return
		}
		if err := e.wakeOne(ctx, name); err != nil && ctx.Err() == nil && !job.IsKind(err, job.NotFound) {
			e.log.Error("a namespace with schedules or notices could not be loaded; it is when somebody uses it", "namespace", name, "err", err)
		}
	}
	if err != nil && ctx.Err() == nil {
		e.log.Error("it is not known which namespaces have schedules or notices", "err", err)
	}
}

func (e *Engine) wakeOne(ctx context.Context, name string) error {
	if some, err := e.store.HasDocuments(ctx, name, wakeful...); err != nil || !some {
		return err
	}
	_, err := e.Namespace(ctx, name)
	return err
}
