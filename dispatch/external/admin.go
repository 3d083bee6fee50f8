package external

import (
	"context"
	"strings"
	"time"

	"github.com/muster-queue/muster/dispatch"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// Create makes a pool; by is who wants it. Errors: Exists, Invalid, Exhausted.
func (s *Scheduler) Create(ctx context.Context, namespace string, settings Settings, by string) (Settings, error) {
	if err := settings.Validate(); err != nil {
		return Settings{}, err
	}
	if err := checkPath(settings.Name); err != nil {
		return Settings{}, err
	}
	return ask(ctx, s, id{namespace, settings.Name}, op{phase: change, alone: true, makes: true}, func(t *turn) (Settings, error) {
		there, err := countPools(t.ns)
		if err != nil {
			return settings, err
		}
		if there >= s.cfg.MaxPools {
			return settings, job.Errorf(job.Exhausted, "there are %d pools in namespace %s, which is all there may be", there, namespace)
		}
		settings.Created = t.now.UTC()
		p, err := dispatch.NewPool(t.now, dispatch.Config{})
		if err != nil {
			return settings, err
		}
		t.begin(p, settings)
		t.audit(job.EventPoolCreated, by, settings.details())
		return settings, t.put()
	})
}

// checkPath refuses names of new pools that no path of HTTP can have as a part.
func checkPath(name string) error {
	if strings.Contains(name, "/") || name == "." || name == ".." {
		return job.Errorf(job.Invalid, "pool %q: its name is a part of paths over HTTP, which cannot have \"/\" there, nor be \".\" or \"..\"; take another one, e.g. with \"-\"", name)
	}
	return nil
}

func countPools(ns *engine.Namespace) (n int, err error) {
	err = ns.Documents(roomPools, "", func(string, []byte) bool {
		n++
		return true
	})
	return n, err
}

// Set changes a pool's settings. Errors: NotFound, Invalid.
func (s *Scheduler) Set(ctx context.Context, namespace, name string, edit func(*Settings) error, by string) (Settings, error) {
	return ask(ctx, s, id{namespace, name}, op{phase: change}, func(t *turn) (Settings, error) {
		was := t.state.settings
		changed := was
		if err := edit(&changed); err != nil {
			return was, err
		}
		changed.Name, changed.Created = was.Name, was.Created
		if err := changed.Validate(); err != nil || changed == was {
			return was, err
		}
		t.state.apply(changed)
		t.audit(job.EventPoolChanged, by, job.Differences(was.details(), changed.details()))
		return changed, t.put()
	})
}

// List lists the pools of a namespace whose names come after one, at most so many.
func (s *Scheduler) List(ctx context.Context, namespace, after string, limit int) ([]Settings, error) {
	ns, err := s.engine.Namespace(ctx, namespace)
	if err != nil {
		return nil, err
	}
	var list []Settings
	var bad error
	err = ns.Documents(roomPools, "", func(name string, body []byte) bool {
		if name <= after {
			return true
		}
		var p stored
		bad = job.Decode(body, &p)
		list = append(list, p.Settings)
		return bad == nil && len(list) < limit
	})
	if err == nil {
		err = bad
	}
	return list, err
}

// Wipe forgets all tasks, workers and decisions of a pool, and takes everything
// off its accounts; it tells what there was. Settings and accounts stay.
func (s *Scheduler) Wipe(ctx context.Context, namespace, name, by string) (Info, error) {
	return ask(ctx, s, id{namespace, name}, op{phase: change, alone: true}, func(t *turn) (Info, error) {
		was := t.state.info()
		t.state.Wipe(t.now)
		t.audit(job.EventPoolWiped, by, was.details())
		return was, nil
	})
}

// Delete removes a pool with all that it has; one that has tasks only with force.
// It tells what there was. Errors: NotFound, Conflict.
func (s *Scheduler) Delete(ctx context.Context, namespace, name string, force bool, by string) (Info, error) {
	return ask(ctx, s, id{namespace, name}, op{phase: change, alone: true}, func(t *turn) (Info, error) {
		was := t.state.info()
		if n := was.Waiting + was.Running; n > 0 && !force {
			return was, job.Errorf(job.Conflict, "pool %s has %s; --force deletes them with it", name, job.Plural(n, "task"))
		}
		t.audit(job.EventPoolDeleted, by, was.details())
		t.state, t.erase = nil, true
		t.docs = append(t.docs, job.Document{Room: roomPools, Key: name, Gone: true})
		return was, nil
	})
}

// put has the settings stored with the turn.
func (t *turn) put() error {
	body, err := job.Encode(nil, &stored{t.state.settings, t.state.done})
	t.docs = append(t.docs, job.Document{Room: roomPools, Key: t.id.name, Body: body})
	return err
}

// audit notes in the log who changed what.
func (t *turn) audit(kind, by string, details map[string]string) {
	t.rows = append(t.rows, job.EventRow{Kind: kind, Pool: t.id.name, Who: by, Details: details})
}

// details are settings as the log has them.
func (s *Settings) details() map[string]string {
	d := map[string]string{"no_preemption": "false", "worker_expiry": s.expiry().String()}
	if s.NoPreemption {
		d["no_preemption"] = "true"
	}
	return d
}

// expiry is after how long without news an idle worker is forgotten.
func (s *Settings) expiry() time.Duration {
	if s.WorkerExpiry == 0 {
		return DefaultWorkerExpiry
	}
	return s.WorkerExpiry
}
