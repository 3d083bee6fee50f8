package bench

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/schedule"
)

// The rows of this file measure the scheduler alone, in this process, by the
// processor time of its one thread, so that they say the same on a busy machine.

// passStart is when what is measured begins.
const passStart = job.Time(1e18)

var oneSlot = job.Resources{job.CPU: 1000}

// fleet is jobs and workers as those of a fleet of machines that come in twenty
// models: a job wants one of them, and prefers one of the images that are installed.
// They are of twenty accounts, of which some have quota at every level and some at
// none. Account, model and image make the shape of a job.
type fleet struct {
	jobs, images, workers int
}

const (
	passAccounts = 20
	fleetModels  = 20
)

// fleet is one of these numbers, at this scale.
func (l *lab) fleet(jobs, images, workers int) fleet {
	return fleet{l.jobs(jobs), max(1, int(float64(images)*l.cfg.Scale)), l.jobs(workers)}
}

func (f fleet) shapes() int { return passAccounts * fleetModels * f.images }

// fill makes a scheduler with all of it, and nothing given out.
func (f fleet) fill() *schedule.Scheduler {
	s := sharing(schedule.Config{})
	rnd := rand.New(rand.NewPCG(7, 8))
	for i := range f.workers {
		s.SetWorker(job.WorkerID(i+1), schedule.Worker{Agent: true, Capacity: oneSlot, Labels: job.Labels{
			"pool:ci", fmt.Sprint("model:", rnd.IntN(fleetModels)), fmt.Sprint("image:", rnd.IntN(f.images)), fmt.Sprint("host:", i),
		}})
	}
	for i := range f.shapes() {
		s.DefineShape(job.ShapeID(i+1), &job.Shape{
			Queue: 1, Command: true, Needs: oneSlot, Account: account(i % passAccounts),
			Labels: job.Labels{"pool:ci", fmt.Sprint("model:", i/passAccounts%fleetModels)},
			Prefer: job.Labels{fmt.Sprint("image:", i/passAccounts/fleetModels)},
		})
	}
	for i := range f.jobs {
		s.Push(job.ShapeID(rnd.IntN(f.shapes())+1), schedule.Item{Seq: job.Seq(i + 1), Place: uint64(i + 1)})
	}
	return s
}

func account(i int) string { return fmt.Sprint("account ", i) }

// sharing makes a scheduler that knows the accounts.
func sharing(cfg schedule.Config) *schedule.Scheduler {
	s := schedule.New(cfg)
	s.Advance(passStart)
	for i := range passAccounts {
		a := schedule.Account{Window: time.Hour}
		for p := range i % (schedule.Levels + 1) {
			a.Rate[p] = float64(i + 1)
		}
		s.SetAccount(account(i), a)
		s.SetBalance(account(i), a.Rate, passStart)
	}
	return s
}

// passFull is a pass over everything, all workers idle and all jobs new.
func passFull(ctx context.Context, l *lab) ([]Result, error) {
	r, err := passCold(ctx, "pass/full", l.fleet(1_000_000, 50, 10_000), 100)
	return []Result{r}, err
}

func passFull200k(ctx context.Context, l *lab) ([]Result, error) {
	r, err := passCold(ctx, "pass/full-200k", l.fleet(1_000_000, 500, 10_000), 500)
	return []Result{r}, err
}

func passFleet(ctx context.Context, l *lab) ([]Result, error) {
	r, err := passCold(ctx, "pass/fleet", l.fleet(100_000, 50, 5000), 50)
	return []Result{r}, err
}

// passCold is the median of some passes, each of a scheduler that was made for it.
func passCold(ctx context.Context, row string, f fleet, goal float64) (Result, error) {
	var took samples
	placed := 0
	for range 3 {
		if ctx.Err() != nil {
			return Result{}, context.Cause(ctx)
		}
		s := f.fill()
		began := threadTime()
		given, more := s.Pass(passStart, math.MaxInt)
		took.add(threadTime() - began)
		if placed = len(given); more {
			return Result{}, job.Errorf(job.Internal, "a pass without bounds did not come to its end")
		}
	}
	return Result{
		Name: row, Value: ms(took.percentile(50)), Unit: "ms", Goal: goal, Below: true,
		Note: fmt.Sprintf("%d jobs of %d accounts in %d shapes, %d workers, %d given out; median of 3", f.jobs, passAccounts, f.shapes(), f.workers, placed),
	}, nil
}

// freedTimes is how often a worker becomes free while that is measured.
const freedTimes = 2000

// passFreed is a worker that becomes free, where jobs wait that fit there and where
// none does.
func passFreed(ctx context.Context, l *lab) ([]Result, error) {
	s := l.fleet(1_000_000, 50, 10_000).fill()
	given, _ := s.Pass(passStart, math.MaxInt)
	running := slices.Clone(given)
	rnd := rand.New(rand.NewPCG(3, 4))
	var fits samples
	now := passStart
	for range freedTimes {
		i := rnd.IntN(len(running))
		now = now.Add(time.Millisecond)
		began := threadTime()
		s.Release(running[i].Seq)
		given, _ := s.Pass(now, math.MaxInt)
		fits.add(threadTime() - began)
		if len(given) != 1 {
			return nil, job.Errorf(job.Internal, "a worker that became free was given %d jobs", len(given))
		}
		s.Push(running[i].Shape, schedule.Item{Seq: running[i].Seq, Place: uint64(running[i].Seq)})
		running[i] = given[0]
	}
	none, err := freedInVain(ctx, l)
	return []Result{
		{Name: "pass/freed", Value: us(fits.percentile(50)), Unit: "µs", Goal: 50, Below: true, P99: ms(fits.percentile(99)), Note: "one of the first jobs fits; median"},
		none,
	}, err
}

// freedInVain is a worker that becomes a little freer, among jobs that need either
// many cores or much memory, so that no summary of them tells that none fits.
func freedInVain(ctx context.Context, l *lab) (Result, error) {
	const gib = 1 << 30
	rnd := rand.New(rand.NewPCG(5, 6))
	s := sharing(schedule.Config{})
	shape := func(id job.ShapeID, cpu, mem int64) {
		s.DefineShape(id, &job.Shape{Queue: 1, Command: true, Account: account(rnd.IntN(passAccounts)), Needs: job.Resources{job.CPU: cpu, job.Memory: mem}})
	}
	shapes, workers := l.jobs(200_000), l.jobs(10_000)
	const small, large, seqs = 1 << 30, 1 << 31, 1 << 41
	shape(small, 1000, gib)
	shape(large, 60_000, 250*gib)
	for i := range workers {
		s.SetWorker(job.WorkerID(i+1), schedule.Worker{Agent: true, Capacity: job.Resources{job.CPU: 64_000, job.Memory: 256 * gib}})
		s.Hold(schedule.Held{Seq: job.Seq(seqs + i), Shape: large, Worker: job.WorkerID(i + 1)})
	}
	for i := range shapes {
		if i%2 == 0 {
			shape(job.ShapeID(i+1), 5000+rnd.Int64N(50_000), (1+rnd.Int64N(6))*gib)
		} else {
			shape(job.ShapeID(i+1), 1000+rnd.Int64N(3000), (7+rnd.Int64N(100))*gib)
		}
		s.Push(job.ShapeID(i+1), schedule.Item{Seq: job.Seq(i + 1), Place: uint64(i + 1)})
	}
	s.Pass(passStart, math.MaxInt)
	var took samples
	for i := range freedTimes / 10 {
		if ctx.Err() != nil {
			return Result{}, context.Cause(ctx)
		}
		id := job.WorkerID(rnd.IntN(workers) + 1)
		s.Hold(schedule.Held{Seq: seqs - 1, Shape: small, Worker: id})
		s.Pass(passStart.Add(time.Duration(i)*time.Millisecond), math.MaxInt)
		began := threadTime()
		s.Release(seqs - 1)
		given, _ := s.Pass(passStart.Add(time.Duration(i)*time.Millisecond), math.MaxInt)
		took.add(threadTime() - began)
		if len(given) > 0 {
			return Result{}, job.Errorf(job.Internal, "something fitted where nothing should")
		}
	}
	return Result{
		Name: "pass/freed-none", Value: us(took.percentile(50)), Unit: "µs", Goal: 2000, Below: true, P99: ms(took.percentile(99)),
		Note: fmt.Sprintf("none of %d shapes fits; median", shapes),
	}, nil
}

// threadTime is the processor time of this thread, which the caller has locked.
func threadTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		panic(err) // every kernel that runs Go has it
	}
	return time.Duration(t.Nano())
}

// pinned makes a row keep to its thread.
func pinned(run func(context.Context, *lab) ([]Result, error)) func(context.Context, *lab) ([]Result, error) {
	return func(ctx context.Context, l *lab) ([]Result, error) {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		return run(ctx, l)
	}
}

func us(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

// simulation is the workload that the LUCI quota scheduler comes with: rounds of a
// minute, each with jobs and workers more, whose labels are drawn from a thousand.
type simulation struct {
	shapes  []job.Shape
	workers []schedule.Worker
}

const (
	simulationRounds  = 100
	simulationJobs    = 1000 // a round
	simulationWorkers = 50
)

func newSimulation() *simulation {
	rnd := rand.New(rand.NewPCG(9, 10))
	label := func(of int) string { return fmt.Sprint("label:", rnd.IntN(of)) }
	m := new(simulation)
	for range simulationRounds * simulationJobs {
		sh := job.Shape{Queue: 1, Command: true, Needs: oneSlot, Account: account(rnd.IntN(passAccounts)), Prefer: job.Labels{label(50)}}
		for range 4 {
			sh.Labels = append(sh.Labels, label(1000))
		}
		m.shapes = append(m.shapes, sh)
	}
	for range simulationRounds * simulationWorkers {
		w := schedule.Worker{Agent: true, Capacity: oneSlot, Labels: job.Labels{label(50)}}
		for range 50 {
			w.Labels = append(w.Labels, label(1000))
		}
		m.workers = append(m.workers, w)
	}
	return m
}

// run does all of it: what comes, what time does, and the passes.
func (m *simulation) run() (placed int) {
	rnd := rand.New(rand.NewPCG(11, 12))
	s := schedule.New(schedule.Config{NoPreemption: true, MaxReservations: -1})
	s.Advance(passStart)
	for i := range passAccounts {
		a := schedule.Account{Window: 10 * time.Second, NoFree: true}
		for p := range a.Rate {
			a.Rate[p] = 10 * rnd.Float64()
		}
		s.SetAccount(account(i), a)
	}
	for round := range simulationRounds {
		for i := round * simulationJobs; i < (round+1)*simulationJobs; i++ {
			s.DefineShape(job.ShapeID(i+1), &m.shapes[i])
			s.Push(job.ShapeID(i+1), schedule.Item{Seq: job.Seq(i + 1), Place: uint64(i + 1)})
		}
		for i := round * simulationWorkers; i < (round+1)*simulationWorkers; i++ {
			s.SetWorker(job.WorkerID(i+1), m.workers[i])
		}
		given, _ := s.Pass(passStart.Add(time.Duration(round+1)*time.Minute), math.MaxInt)
		placed += len(given)
	}
	return placed
}

func passSimulation(context.Context, *lab) ([]Result, error) {
	m := newSimulation()
	var took samples
	placed := 0
	for range 3 {
		began := threadTime()
		placed = m.run()
		took.add(threadTime() - began)
	}
	return []Result{{
		Name: "pass/simulation", Value: took.percentile(50).Seconds(), Unit: "s", Goal: 0.5, Below: true,
		Note: fmt.Sprintf("%d rounds, at the end %d jobs on %d workers; median of 3", simulationRounds, placed, len(m.workers)),
	}}, nil
}
