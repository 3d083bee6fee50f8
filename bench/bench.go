// Package bench measures muster: how many jobs a second go in and out over each
// way, what a million jobs cost in memory and at a restart, how fast an order
// arrives. Everything is durable: a reply counts only after its fsync. The
// command line calls it as "muster bench".
package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/muster-queue/muster/job"
)

// Config says how to measure.
type Config struct {
	// Dir is where servers keep their data while they are measured; default a
	// new directory in the working directory's place for temporary files. It
	// must be on a real disk for the numbers to mean anything.
	Dir string
	// Scale multiplies the numbers of jobs; default 1.
	Scale float64
	// Server is the command line of a muster server, "--data DIR" and more to be
	// appended; needed by the rows that look at a process from outside.
	Server []string
}

// Result is one measured value.
type Result struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	// Goal is what the design asks for, in the same unit; Below says that less
	// is better.
	Goal  float64 `json:"goal,omitempty"`
	Below bool    `json:"below,omitempty"`
	// P50 and P99 are latencies of one request.
	P50 float64 `json:"p50_ms,omitempty"`
	P99 float64 `json:"p99_ms,omitempty"`
	// RSS is the resident memory of the measured process at the end, in MB.
	RSS float64 `json:"rss_mb,omitempty"`
	// FsyncP50 is the median time of the disk's fsync in this run, in ms.
	FsyncP50 float64 `json:"fsync_p50_ms"`
	// Note says what else a reader must know.
	Note string `json:"note,omitempty"`
}

// Reached reports whether the goal was reached; rows without one always do.
func (r *Result) Reached() bool {
	return r.Goal == 0 || r.Below && r.Value <= r.Goal || !r.Below && r.Value >= r.Goal
}

// family is a function that measures one row or several together.
type family struct {
	rows  []string
	extra bool // only when asked for by name
	run   func(context.Context, *lab) ([]Result, error)
}

var families = []family{
	{rows: []string{"add/in-process"}, run: addInProcess},
	{rows: []string{"add/in-process-10m"}, extra: true, run: addWithHistory},
	{rows: []string{"add/grpc"}, run: addGRPC},
	{rows: []string{"drain/batch"}, run: drainBatch},
	{rows: []string{"drain/single"}, run: drainSingle},
	{rows: []string{"drain/alternating"}, run: drainAlternating},
	{rows: []string{"drain/unary"}, run: drainUnary},
	{rows: []string{"run/true-exec"}, run: runExec},
	{rows: []string{"run/true-sh"}, run: runSh},
	{rows: []string{"run/true-bash"}, run: runBash},
	{rows: []string{"cancel/latency"}, run: cancelLatency},
	{rows: []string{"memory/million", "status/counts", "idle/cpu", "restart/million"}, run: million},
	{rows: []string{"modify/100k"}, run: modify},
	{rows: []string{"summary/million"}, run: summarise},
	{rows: []string{"add/dependencies", "resolve/fan", "add/chain"}, run: depend},
	{rows: []string{"pass/full"}, run: pinned(passFull)},
	{rows: []string{"pass/full-200k"}, extra: true, run: pinned(passFull200k)},
	{rows: []string{"pass/freed", "pass/freed-none"}, run: pinned(passFreed)},
	{rows: []string{"pass/fleet"}, run: pinned(passFleet)},
	{rows: []string{"pass/simulation"}, run: pinned(passSimulation)},
	{rows: []string{"coordinate/add"}, run: coordinateAdd},
	{rows: []string{"coordinate/work"}, run: coordinateWork},
	{rows: []string{"coordinate/workers"}, extra: true, run: coordinateWorkers},
	{rows: []string{"coordinate/counts-5m", "coordinate/page-5m"}, extra: true, run: coordinateMillions},
}

// Names lists the rows; those that run only when asked for by name are marked.
func Names() (names []string, extra map[string]bool) {
	extra = map[string]bool{}
	for _, f := range families {
		for _, r := range f.rows {
			names = append(names, r)
			extra[r] = f.extra
		}
	}
	return names, extra
}

// Run measures the rows named (all but the extra ones when none is) and gives
// each result to report as it is known. A name's first word stands for all rows
// that begin with it.
func Run(ctx context.Context, cfg Config, names []string, report func(Result)) error {
	known, _ := Names()
	for _, n := range names {
		if !slices.ContainsFunc(known, func(row string) bool { return means(n, row) }) {
			return job.Errorf(job.Invalid, "there is no row %q; the rows are %v", n, known)
		}
	}
	l, err := newLab(cfg)
	if err != nil {
		return err
	}
	defer os.RemoveAll(l.dir)
	for _, f := range families {
		if !f.wanted(names) {
			continue
		}
		results, err := f.run(ctx, l)
		if err != nil {
			return job.Wrap(err, "measure", f.rows[0])
		}
		for _, r := range results {
			if len(names) > 0 && !slices.ContainsFunc(names, func(n string) bool { return means(n, r.Name) }) {
				continue
			}
			r.FsyncP50 = ms(l.fsync)
			report(r)
		}
	}
	return nil
}

func (f *family) wanted(names []string) bool {
	if len(names) == 0 {
		return !f.extra
	}
	return slices.ContainsFunc(f.rows, func(row string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return means(n, row) })
	})
}

// means tells whether a name given by a person stands for a row: "add/grpc" for
// itself, "add" for all that add.
func means(name, row string) bool { return row == name || strings.HasPrefix(row, name+"/") }

// lab is where the measuring is done.
type lab struct {
	cfg   Config
	dir   string
	fsync time.Duration
	made  int
}

func newLab(cfg Config) (*lab, error) {
	if cfg.Scale == 0 {
		cfg.Scale = 1
	}
	if cfg.Dir == "" {
		cfg.Dir = os.TempDir()
	}
	dir, err := os.MkdirTemp(cfg.Dir, "muster-bench-")
	if err != nil {
		return nil, job.Errorf(job.Unavailable, "make a directory to measure in: %w", err)
	}
	l := &lab{cfg: cfg, dir: dir}
	if l.fsync, err = probeFsync(dir); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	return l, nil
}

// fresh is a new empty directory.
func (l *lab) fresh() string {
	l.made++
	return filepath.Join(l.dir, fmt.Sprint("data", l.made))
}

// jobs is a number of jobs at this scale.
func (l *lab) jobs(n int) int { return max(64, int(float64(n)*l.cfg.Scale)) }

// probeFsync is the median time of small writes with fsync on the disk of dir.
func probeFsync(dir string) (time.Duration, error) {
	f, err := os.CreateTemp(dir, "fsync")
	if err != nil {
		return 0, job.Errorf(job.Unavailable, "probe the disk: %w", err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	block := make([]byte, 4096)
	var took samples
	for range 100 {
		began := time.Now()
		if _, err := f.Write(block); err != nil {
			return 0, job.Errorf(job.Unavailable, "probe the disk: %w", err)
		}
		if err := f.Sync(); err != nil {
			return 0, job.Errorf(job.Unavailable, "probe the disk: %w", err)
		}
		took.add(time.Since(began))
	}
	return took.percentile(50), nil
}
