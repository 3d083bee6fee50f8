package jobqueue

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/muster-queue/muster"
	"github.com/muster-queue/muster/agent"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// runnerVar tells a client the name under which a server started its process.
const runnerVar = "MUSTER_JOBQUEUE_RUNNER"

// reserveSeconds is how long runners are told to wait for a job.
const reserveSeconds = 2

// LocalConfig says what of this machine runners may use.
type LocalConfig struct {
	// Shell runs RunnerCmd; default bash.
	Shell string
	// MaxCores and MaxRAM, in MB, are what all runners may have together; zero: all.
	MaxCores, MaxRAM int
}

// checkTemplate tells whether a RunnerCmd takes the six things that it is given.
func checkTemplate(template string) error {
	if template == "" {
		return nil
	}
	if s := runnerLine(template, "queue", "group", "deployment", "address"); strings.Contains(s, "%!") {
		return job.Errorf(job.Invalid, "the RunnerCmd %.200q does not have the verbs %%s %%s %%s %%s %%d %%d for queue, scheduler group, deployment, address, seconds and minutes: it becomes %.300q", template, s)
	}
	return nil
}

func runnerLine(template, queue, group, deployment, address string) string {
	return fmt.Sprintf(template, queue, group, deployment, address, reserveSeconds, 0)
}

// spawner starts runners on this machine for jobs that are ready. How many are
// wanted is found anew each time, from what is ready and which runners have nothing
// to do.
type spawner struct {
	cfg   ServerConfig
	shell string
	ns    *engine.Namespace
	addr  string
	env   []string
	log   *slog.Logger

	end  context.CancelFunc
	wake chan struct{}
	all  sync.WaitGroup // the loop, and who waits for a runner

	mu      sync.Mutex
	free    job.Resources
	runners map[string]*runner // by name
	// After runners that failed none is started for a pause.
	pause    time.Duration
	notUntil time.Time
}

// runner is a process for the jobs of a queue and scheduler group.
type runner struct {
	name, queue, group string
	needs              job.Resources
	cmd                *exec.Cmd
	said               bytes.Buffer // on standard error
}

func newSpawner(cfg ServerConfig, m *muster.Handle) (*spawner, error) {
	local := LocalConfig{}
	if c, _ := cfg.SchedulerConfig.(*LocalConfig); c != nil {
		local = *c
	}
	given := job.Resources{}
	if local.MaxCores > 0 {
		given[job.CPU] = int64(local.MaxCores) * job.Thousandth
	}
	if local.MaxRAM > 0 {
		given[job.Memory] = int64(local.MaxRAM) * MB
	}
	dir := m.Server().Layout().Dir
	free, err := agent.Capacity(given, dir)
	if err != nil {
		return nil, err
	}
	ctx, end := context.WithCancel(context.Background())
	ns, err := m.Namespace(ctx, "")
	if err != nil {
		end()
		return nil, err
	}
	s := &spawner{
		cfg: cfg, shell: cmp.Or(local.Shell, "bash"), ns: ns, addr: m.Server().Where().Address,
		env: append(os.Environ(), client.EnvData+"="+dir), log: cfg.Logger,
		end: end, wake: make(chan struct{}, 1), free: free, runners: map[string]*runner{},
	}
	s.all.Go(func() { s.run(ctx) })
	return s, nil
}

// run looks now and then, and when a runner has ended.
func (s *spawner) run(ctx context.Context) {
	ticker := time.NewTicker(s.cfg.ReserveTicker)
	defer ticker.Stop()
	for {
		if err := s.look(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("runners could not be looked after", "err", err)
		}
		select {
		case <-ticker.C:
		case <-s.wake:
		case <-ctx.Done():
			return
		}
	}
}

type place struct{ queue, group string }

// look starts the runners that are missing.
func (s *spawner) look(ctx context.Context) error {
	wanted, err := s.ns.Requirements(ctx)
	if err != nil || len(wanted) == 0 {
		return err
	}
	idle, err := s.idle(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Now().Before(s.notUntil) {
		return nil
	}
	for _, w := range wanted {
		at := place{w.Queue, groupOf(w.Needs, w.Time)}
		if len(w.Labels) > 0 { // for agents that have them
			continue
		}
		for n := w.Jobs - idle[at]; n > 0 && w.Needs.Fits(s.free); n-- {
			if err := s.start(at, w.Needs); err != nil {
				return err
			}
		}
	}
	return nil
}

// idle counts the runners that have no job.
func (s *spawner) idle(ctx context.Context) (map[place]int64, error) {
	s.mu.Lock()
	runners := make([]*runner, 0, len(s.runners))
	for _, r := range s.runners {
		runners = append(runners, r)
	}
	s.mu.Unlock()
	idle := map[place]int64{}
	for _, r := range runners {
		clients, err := s.ns.Workers(ctx, engine.WorkersRequest{Parent: r.name})
		if err != nil {
			return nil, err
		}
		held := 0
		for _, c := range clients {
			held += c.Held
		}
		if held == 0 {
			idle[place{r.queue, r.group}]++
		}
	}
	return idle, nil
}

// start starts a runner; it is called with mu held.
func (s *spawner) start(at place, needs job.Resources) error {
	r := &runner{name: "runner-" + strings.ToLower(rand.Text()), queue: at.queue, group: at.group, needs: needs}
	line := runnerLine(s.cfg.RunnerCmd, at.queue, at.group, s.cfg.Deployment, s.addr)
	r.cmd = exec.Command(s.shell, "-c", line)
	r.cmd.Env = append(slices.Clip(s.env), runnerVar+"="+r.name)
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r.cmd.Stderr = &bounded{&r.said}
	r.cmd.WaitDelay = time.Second // a grandchild may hold standard error
	if err := r.cmd.Start(); err != nil {
		s.later()
		return job.Errorf(job.Unavailable, "start a runner: %w", err)
	}
	s.free.Sub(needs)
	s.runners[r.name] = r
	s.all.Go(func() { s.await(r) })
	return nil
}

// await waits for the end of a runner.
func (s *spawner) await(r *runner) {
	err := r.cmd.Wait()
	s.mu.Lock()
	s.free.Add(r.needs)
	delete(s.runners, r.name)
	if err == nil {
		s.pause = 0
	} else {
		s.later()
	}
	s.mu.Unlock()
	if err != nil {
		s.log.Warn("a runner failed", "queue", r.queue, "group", r.group, "err", err, "stderr", r.said.String())
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

const longestPause = time.Minute

// later has no runner started for a while, longer each time; mu is held.
func (s *spawner) later() {
	s.pause = min(max(2*s.pause, s.cfg.ReserveTicker), longestPause)
	s.notUntil = time.Now().Add(s.pause)
}

func (s *spawner) alive() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.runners)
}

// runnerGrace is how long runners may take to end their commands.
const runnerGrace = 20 * time.Second

// close ends the runners, which release their jobs.
func (s *spawner) close() {
	s.end()
	s.signal(syscall.SIGTERM)
	kill := time.AfterFunc(runnerGrace, func() { s.signal(syscall.SIGKILL) })
	defer kill.Stop()
	s.all.Wait()
}

func (s *spawner) signal(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.runners {
		_ = syscall.Kill(-r.cmd.Process.Pid, sig)
	}
}

// bounded keeps the beginning of what is written to it.
type bounded struct{ *bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	const most = 4096
	b.Buffer.Write(p[:min(len(p), max(0, most-b.Len()))])
	return len(p), nil
}
