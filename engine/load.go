package engine

import (
	"context"
	"hash/maphash"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/queue"
	"github.com/muster-queue/muster/schedule"
)

// load opens a namespace and starts its writer.
func (e *Engine) load(ctx context.Context, name string) (*Namespace, error) {
	st, err := e.store.Open(ctx, name)
	if err != nil {
		return nil, job.Wrap(err, "open namespace", name)
	}
	n := &Namespace{
		name:    name,
		engine:  e,
		cfg:     e.cfg,
		store:   st,
		inbox:   newInbox(e.cfg),
		bodies:  newPayloads(st, e.cfg.PayloadCache),
		stopped: make(chan struct{}),
	}
	n.courier = newCourier(n)
	n.touch()
	w := &writer{ns: n, cfg: &n.cfg, log: e.log, figures: e.figuresOf(name)}
	if err := w.load(ctx); err != nil {
		_ = st.Close()
		return nil, job.Wrap(err, "load namespace", name)
	}
	go w.run()
	return n, nil
}

// load fills the writer from the store; nothing of what was before is kept.
func (w *writer) load(ctx context.Context) error {
	began := w.cfg.Clock.Mono()
	w.ns.loads.Add(1)
	state := queue.New(w.cfg.Queue)
	stored := &loader{State: state}
	if err := w.ns.store.Load(ctx, stored); err != nil {
		return err
	}
	clock, err := newEngineTime(w.cfg.Clock, stored.latest(), w.cfg.MaxClockStep, w.cfg.AcceptClock)
	if err != nil {
		return err
	}
	if err := state.Loaded(clock.now(), w.ns.store.Epoch(), new(maphash.Hash).Sum64()); err != nil {
		return err
	}
	w.state, w.time, w.loaded = state, clock, clock.now()
	w.loadLocks(stored.locks, w.loaded)
	cfg := w.cfg.Schedule
	cfg.Key = state.Key
	w.sched = schedule.New(cfg)
	w.loadLedger(stored)
	w.loadLimits(stored.limits)
	w.sessions = map[job.WorkerID]*Session{}
	if err := w.loadSchedules(); err != nil {
		return err
	}
	if err := w.loadNotices(); err != nil {
		return err
	}
	w.waiters = waiters{}
	w.pruning = pruning{}
	w.trims = [job.EventLogs]trimming{}
	w.sizes = newSizeCheck(w.cfg.ResourceGrace)
	w.fits = newFits()
	w.more = true
	for fed := -1; fed != 0; {
		feeds := w.state.Feed()
		fed = len(feeds)
		for i := range feeds {
			w.feedOne(&feeds[i])
		}
	}
	w.loadedLedger()
	events := newEventLog(w.ns.store.Epoch(), w.cfg.WatchBuffer, state.Counts())
	w.ns.log.Store(events)
	w.out = newCommitter(w.cfg.Inflight, events)
	w.startSumming()
	counts := state.Counts()
	w.log.Info("namespace loaded", "namespace", w.ns.name, "live", counts.Live(), "complete", counts[job.Complete],
		"in", (w.cfg.Clock.Mono() - began).Round(time.Millisecond))
	return nil
}

// loader receives a namespace's records: the locks, who pays for what, and all
// others the state.
type loader struct {
	*queue.State
	locks    []job.LockRow
	accounts []job.AccountRow
	charges  []job.ChargeRow
	limits   []job.LimitRow
}

// LoadLock implements store.Loader.
func (l *loader) LoadLock(r job.LockRow) { l.locks = append(l.locks, r) }

// LoadAccount implements store.Loader.
func (l *loader) LoadAccount(r job.AccountRow) { l.accounts = append(l.accounts, r) }

// LoadCharge implements store.Loader.
func (l *loader) LoadCharge(r job.ChargeRow) { l.charges = append(l.charges, r) }

// LoadLimit implements store.Loader.
func (l *loader) LoadLimit(r job.LimitRow) { l.limits = append(l.limits, r) }
