package external

import (
	"strings"
	"time"

	"github.com/muster-queue/muster/dispatch"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// The rooms of a namespace's documents: the settings of a pool by its name, and
// the records of its state by its name, a separator that no name has, and their
// own keys.
const (
	roomPools = "pools"
	roomState = "pool state"
	separator = "\x00"
)

// Settings of a pool.
type Settings struct {
	Name string `cbor:"1,keyasint"`
	// NoPreemption leaves running tasks alone.
	NoPreemption bool `cbor:"2,keyasint,omitempty"`
	// WorkerExpiry is after how long without news an idle worker is forgotten;
	// zero means DefaultWorkerExpiry.
	WorkerExpiry time.Duration `cbor:"3,keyasint,omitempty"`
	// Created is when the pool was made.
	Created time.Time `cbor:"4,keyasint"`
}

// Bounds of how long workers are remembered.
const (
	DefaultWorkerExpiry = 300 * time.Second
	MinWorkerExpiry     = time.Second
	MaxWorkerExpiry     = 30 * 24 * time.Hour
)

// Validate checks the settings. Errors: Invalid.
func (s *Settings) Validate() error {
	if err := job.CheckName("pool", s.Name); err != nil {
		return err
	}
	if e := s.WorkerExpiry; e != 0 && (e < MinWorkerExpiry || e > MaxWorkerExpiry) {
		return job.Errorf(job.Invalid, "pool %s: worker_expiry %v; it must be between %v and %v", s.Name, e, MinWorkerExpiry, MaxWorkerExpiry)
	}
	return nil
}

// stored is what is stored of a pool beside its state.
type stored struct {
	Settings
	// Done are the latest requests to change accounts that were done.
	Done []done `cbor:"20,keyasint,omitempty"`
}

// state is a pool in memory, as it is stored.
type state struct {
	*dispatch.Pool
	ns       *engine.Namespace
	settings Settings
	events   sink
	// asked is when tasks were asked about last, see Callbacks.
	asked map[dispatch.RequestID]time.Time
	done  []done
}

// ready makes sure that the pool is in memory as it is stored; after it state is
// nil if there is no such pool.
func (t *turn) ready() error {
	ns, err := t.scheduler.engine.Namespace(t.ctx, t.id.namespace)
	if err != nil {
		return err
	}
	// Another one under the same name may have other documents.
	if t.ns = ns; t.state != nil && t.state.ns == ns {
		return nil
	}
	t.state = nil
	found, err := readStored(ns, t.id.name)
	if err != nil || found == nil {
		return err
	}
	return t.load(found)
}

// readStored reads what is stored of a pool beside its state; nil if there is no
// such pool.
func readStored(ns *engine.Namespace, name string) (*stored, error) {
	var found *stored
	var bad error
	err := ns.Documents(roomPools, name, func(key string, body []byte) bool {
		if key == name { // the first of those that begin so
			found = &stored{}
			bad = job.Decode(body, found)
		}
		return false
	})
	if err == nil {
		err = bad
	}
	return found, err
}

// load reads the pool's state.
func (t *turn) load(found *stored) error {
	var records []dispatch.Record
	err := t.visit(func(key string, body []byte) {
		records = append(records, dispatch.Record{Key: key, Body: body})
	})
	if err != nil {
		return err
	}
	loaded, err := dispatch.LoadPool(records)
	if err != nil {
		return err
	}
	t.begin(loaded, found.Settings)
	t.state.done = found.Done
	return nil
}

// begin makes a pool the one in memory.
func (t *turn) begin(p *dispatch.Pool, settings Settings) {
	t.state = &state{Pool: p, ns: t.ns, asked: map[dispatch.RequestID]time.Time{}}
	t.state.apply(settings)
}

// apply makes settings those of the pool in memory.
func (s *state) apply(settings Settings) {
	s.settings = settings
	s.Scheduler.SetDisablePreemption(settings.NoPreemption)
	_ = s.Scheduler.SetBotExpiration(settings.WorkerExpiry) // they were validated
}

// visit visits the stored records of the pool.
func (t *turn) visit(visit func(key string, body []byte)) error {
	prefix := t.id.name + separator
	return t.ns.Documents(roomState, prefix, func(key string, body []byte) bool {
		visit(strings.TrimPrefix(key, prefix), body)
		return true
	})
}

// store stores what the turn changed, with its entries in the log: all of it or
// nothing, and durably.
func (t *turn) store() error {
	docs := t.docs
	if t.erase {
		if err := t.visit(func(key string, _ []byte) { docs = append(docs, t.record(dispatch.Record{Key: key, Gone: true})) }); err != nil {
			return err
		}
	}
	rows := t.rows
	if t.state != nil {
		for _, r := range t.state.Changed() {
			docs = append(docs, t.record(r))
		}
		for i := range t.state.events {
			rows = append(rows, row(t.id.name, &t.state.events[i]))
		}
	}
	if len(docs)+len(rows) == 0 {
		return nil
	}
	return t.ns.PutDocuments(t.ctx, docs, rows...)
}

// record is how a record is stored.
func (t *turn) record(r dispatch.Record) job.Document {
	return job.Document{Room: roomState, Key: t.id.name + separator + r.Key, Body: r.Body, Gone: r.Gone}
}
