package engine

import (
	"context"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/queue"
	"github.com/muster-queue/muster/schedule"
	"github.com/muster-queue/muster/tally"
)

// Figures are a namespace's numbers for metrics.
type Figures struct {
	Counts job.Counts
	// Queues and Accounts are the first MaxFigures by name.
	Queues   []NamedCounts
	Accounts []AccountState
	// Ready and Held are jobs by the level of quota at which they would start, or
	// run; the last is free.
	Ready, Held [job.QuotaLevels + 1]int64
	Workers     WorkerFigures
	// Labels are those that jobs ask for or prefer; at most MaxFigures.
	Labels []LabelFigures
	// Limits are the first MaxFigures by name, those that jobs carry and nobody set
	// among them.
	Limits           []LimitState
	Paused, Draining bool
	// Logged is how many entries each log has.
	Logged [job.EventLogs]int64

	// Decided and what follows count since the process began.
	Decided tally.Counts
	Moves   []MoveFigure
	// Batches are commits by the number of commands that they answered; Failed is how
	// often the namespace had to be loaded again, since a commit or a turn failed.
	Batches tally.Histogram
	Failed  int64
	// Deliveries are those of notices since the namespace was loaded, Schedules how many
	// schedules there are.
	Deliveries Deliveries
	Schedules  int
}

// MaxFigures bounds the lists of Figures.
const MaxFigures = 1000

// WorkerFigures are workers by what they do at present.
type WorkerFigures struct{ Idle, Busy, Draining, Silent int64 }

// LabelFigures are the jobs that ask for a label, and the workers that have it.
type LabelFigures struct {
	Label                    string
	Waiting, Held            int64
	IdleWorkers, BusyWorkers int64
}

// MoveFigure is how often a cause led jobs to a state.
type MoveFigure struct {
	Cause string
	To    job.State
	N     int64
}

// Figures are the namespace's numbers. Asking for them takes the writer one short
// turn, and does not keep the namespace in memory.
func (n *Namespace) Figures(ctx context.Context) (*Figures, error) {
	var workers []workerFigure
	f, err := peek(ctx, n, func(w *writer) *Figures {
		workers = w.workerFigures()
		return w.readFigures()
	})
	if err != nil {
		return nil, err
	}
	f.countWorkers(workers)
	return f, nil
}

// peek is call for those who only look, and do not count as users.
func peek[T any](ctx context.Context, n *Namespace, do func(*writer) T) (result T, err error) {
	done := make(chan error, 1)
	o := op{do: func(w *writer) { result = do(w) }, done: func(err error) { done <- err }}
	if err = n.inbox.put(ctx, normal, o, true); err != nil {
		return result, err
	}
	select {
	case err = <-done:
		return result, err
	case <-ctx.Done():
		var none T
		return none, job.Errorf(job.Timeout, "read the figures of namespace %s: %w", n.name, context.Cause(ctx))
	}
}

// readFigures is all but what is counted of workers.
func (w *writer) readFigures() *Figures {
	m := w.state.Meta()
	f := &Figures{
		Counts: w.state.Counts(), Paused: m.Paused, Draining: m.Draining,
		Decided: w.figures.Clone(), Batches: w.figures.batches.Clone(), Failed: w.figures.failed,
		Deliveries: w.ns.courier.counts(), Schedules: len(w.cron.all),
	}
	for log := range job.EventLogs {
		f.Logged[log] = int64(m.Events[log] - m.Trimmed[log])
	}
	for _, q := range w.state.Queues("", MaxFigures) {
		f.Queues = append(f.Queues, NamedCounts{q.Name, q.Counts})
	}
	for _, l := range w.state.Labels() {
		f.Labels = append(f.Labels, LabelFigures{Label: l.Label, Waiting: l.Counts[job.Ready], Held: heldOf(&l.Counts)})
	}
	for c := range w.figures.moves {
		for to, n := range w.figures.moves[c] {
			if n > 0 {
				f.Moves = append(f.Moves, MoveFigure{queue.Cause(c).String(), job.State(to), n})
			}
		}
	}
	for _, l := range w.sched.Limits(w.state.Now()) {
		if len(f.Limits) < MaxFigures {
			f.Limits = append(f.Limits, limitState(&l))
		}
	}
	w.readLevels(f)
	return f
}

func heldOf(c *job.Counts) int64 { return c[job.Reserved] + c[job.Running] + c[job.Lost] }

// readLevels tells the jobs of accounts from the others, which are free.
func (w *writer) readLevels(f *Figures) {
	f.Ready[schedule.Free], f.Held[schedule.Free] = f.Counts[job.Ready], heldOf(&f.Counts)
	if len(w.ledger.accounts) == 0 {
		return
	}
	for _, b := range w.sched.Balances(w.state.Now()) {
		a := w.stateOf(b)
		f.Ready[schedule.Free] -= a.Ready
		f.Ready[b.Balance.Level()] += a.Ready
		for level, n := range a.Running {
			f.Held[schedule.Free] -= n
			f.Held[level] += n
		}
		if len(f.Accounts) < MaxFigures {
			f.Accounts = append(f.Accounts, a)
		}
	}
	// A job that waits for a victim's end runs, as its account sees it.
	f.Ready[schedule.Free] -= int64(len(w.ledger.claims))
	f.Held[schedule.Free] = max(0, f.Held[schedule.Free])
	f.Ready[schedule.Free] = max(0, f.Ready[schedule.Free])
}

// workerFigure is what is to be known of a worker, as the writer has it.
type workerFigure struct {
	labels                 job.Labels
	busy, draining, silent bool
}

func (w *writer) workerFigures() []workerFigure {
	var all []workerFigure
	w.state.VisitWorkers(func(row *job.WorkerRow, held int, silent bool) {
		s := w.sessions[row.ID]
		all = append(all, workerFigure{
			labels: row.Labels, busy: held > 0, draining: row.Drained || s != nil && s.draining, silent: silent || row.Agent && s == nil,
		})
	})
	return all
}

// countWorkers counts workers by what they do, and by the labels that jobs ask for.
func (f *Figures) countWorkers(all []workerFigure) {
	byLabel := make(map[string]*LabelFigures, len(f.Labels))
	for i := range f.Labels {
		byLabel[f.Labels[i].Label] = &f.Labels[i]
	}
	for i := range all {
		w := &all[i]
		switch {
		case w.silent:
			f.Workers.Silent++
			continue
		case w.draining:
			f.Workers.Draining++
		case w.busy:
			f.Workers.Busy++
		default:
			f.Workers.Idle++
		}
		for _, l := range w.labels {
			switch known := byLabel[l]; {
			case known == nil:
			case w.busy:
				known.BusyWorkers++
			default:
				known.IdleWorkers++
			}
		}
	}
}

// Running are the namespaces that are in memory, by name.
func (e *Engine) Running() map[string]*Namespace {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := map[string]*Namespace{}
	for _, n := range e.running() {
		all[n.name] = n
	}
	return all
}

// figuresOf are the numbers of a namespace, which outlive its unloading.
func (e *Engine) figuresOf(name string) *figures {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.figures[name] == nil {
		e.figures[name] = newFigures()
	}
	return e.figures[name]
}
