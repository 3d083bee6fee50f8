package bench

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// million measures a server process from outside: empty, with a million queued
// jobs, at rest, and started again.
func million(ctx context.Context, l *lab) ([]Result, error) {
	if len(l.cfg.Server) == 0 {
		return nil, job.Errorf(job.Invalid, "the command of a server process is not known")
	}
	n := l.jobs(1_000_000)
	p := &process{data: l.fresh(), argv: l.cfg.Server}
	if err := p.start(ctx); err != nil {
		return nil, err
	}
	defer p.kill()
	empty := rss(p.cmd.Process.Pid)
	if err := p.add(ctx, n); err != nil {
		return nil, err
	}
	full := rss(p.cmd.Process.Pid)
	counts, err := p.countsLatency(ctx, n)
	if err != nil {
		return nil, err
	}
	idle, err := p.idleCPU(ctx)
	if err != nil {
		return nil, err
	}
	restart, err := p.restart(ctx, n)
	if err != nil {
		return nil, err
	}
	return []Result{
		{Name: "memory/million", Value: full - empty, Unit: "MB", Goal: 300, Below: true, RSS: full, Note: "resident memory beyond that of the empty server"},
		counts, idle, restart,
	}, nil
}

// process is a muster server of its own.
type process struct {
	data   string
	argv   []string
	cmd    *exec.Cmd
	client *client.Client
}

// start starts it and connects.
func (p *process) start(ctx context.Context) error {
	args := append(p.argv[1:len(p.argv):len(p.argv)], "--data", p.data, "--listen", "127.0.0.1:0", "--http", "off", "--no-agent")
	p.cmd = exec.Command(p.argv[0], args...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return job.Errorf(job.Unavailable, "start a server to measure: %w", err)
	}
	return p.connect(ctx)
}

// connect waits until the server answers.
func (p *process) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if cfg, err := client.DiscoverIn(p.data); err == nil {
			if p.client, err = client.Dial(ctx, cfg); err == nil {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return job.Errorf(job.Timeout, "the server to measure does not answer")
		}
	}
}

func (p *process) kill() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	}
}

func (p *process) add(ctx context.Context, n int) error {
	adder := p.client.Namespace("").Add(ctx, client.AddOptions{Batch: batchSize})
	for i := range n {
		if err := adder.Add(command(i), 0); err != nil {
			return err
		}
	}
	_, err := adder.Close()
	return err
}

func (p *process) countsLatency(ctx context.Context, n int) (Result, error) {
	var took samples
	for range 100 {
		began := time.Now()
		c, err := p.client.Namespace("").Counts(ctx, "", "")
		if err != nil {
			return Result{}, err
		}
		if c[job.Ready] != int64(n) {
			return Result{}, job.Errorf(job.Internal, "%d of %d jobs are there", c[job.Ready], n)
		}
		took.add(time.Since(began))
	}
	return Result{
		Name: "status/counts", Value: ms(took.percentile(99)), Unit: "ms", Goal: 10, Below: true,
		P50: ms(took.percentile(50)), P99: ms(took.percentile(99)),
	}, nil
}

// idleTime is how long the server at rest is looked at, after settleTime.
const (
	settleTime = 3 * time.Second
	idleTime   = 4 * time.Second
)

func (p *process) idleCPU(ctx context.Context) (Result, error) {
	if err := wait(ctx, settleTime); err != nil {
		return Result{}, err
	}
	before, err := cpuTime(p.cmd.Process.Pid)
	if err != nil {
		return Result{}, err
	}
	if err := wait(ctx, idleTime); err != nil {
		return Result{}, err
	}
	after, err := cpuTime(p.cmd.Process.Pid)
	share := float64(after-before) / float64(idleTime) * 100
	return Result{Name: "idle/cpu", Value: share, Unit: "% of a core", Goal: 1, Below: true, RSS: rss(p.cmd.Process.Pid)}, err
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// restart kills the server and measures from the start of the next to its first
// answer, which must know every job.
func (p *process) restart(ctx context.Context, n int) (Result, error) {
	p.kill()
	_ = p.client.Close()
	if err := os.Remove(filepath.Join(p.data, "server.json")); err != nil && !os.IsNotExist(err) {
		return Result{}, err
	}
	began := time.Now()
	if err := p.start(ctx); err != nil {
		return Result{}, err
	}
	c, err := p.client.Namespace("").Counts(ctx, "", "")
	took := time.Since(began)
	if err == nil && c[job.Ready] != int64(n) {
		err = job.Errorf(job.Internal, "after the restart %d of %d jobs are there", c[job.Ready], n)
	}
	return Result{Name: "restart/million", Value: took.Seconds(), Unit: "s", Goal: 5, Below: true, Note: "after kill -9, process start included"}, err
}
