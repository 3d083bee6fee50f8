package run

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/muster-queue/muster/agent/proc"
	"github.com/muster-queue/muster/job"
)

// monitor looks for a container that the command itself starts, so that its use is
// counted as the command's.
type monitor struct {
	path string // of the runtime
	name string // of the container, or a pattern of files with its id
	pid  atomic.Int64
	end  chan struct{}
}

// makeMonitor readies the look for the container that the job names.
func (x *attempt) makeMonitor() error {
	name := x.spec.Command.MonitorContainer
	if name == "" {
		return nil
	}
	_, path, err := x.findRuntime([]string{"docker", "podman"})
	if err != nil {
		return err
	}
	if strings.Contains(name, "/") && !filepath.IsAbs(name) {
		name = filepath.Join(x.dir.cwd, name)
	}
	x.monitor = &monitor{path: path, name: name, end: make(chan struct{})}
	return nil
}

// watchContainer looks for the monitored container until it is there.
func (x *attempt) watchContainer() {
	m := x.monitor
	if m == nil {
		return
	}
	go func() {
		ticker := time.NewTicker(x.r.cfg.Look)
		defer ticker.Stop()
		for m.pid.Load() == 0 {
			if name := m.container(); name != "" {
				m.pid.Store(x.containerPid(m.path, name))
			}
			select {
			case <-m.end:
				return
			case <-ticker.C:
			}
		}
	}()
}

// container is the name of the container, empty while its file is not there.
func (m *monitor) container() string {
	if !strings.Contains(m.name, "/") {
		return m.name
	}
	files, _ := filepath.Glob(m.name)
	for _, f := range files {
		if id, err := os.ReadFile(f); err == nil && len(id) > 0 && len(id) <= 256 {
			return strings.TrimSpace(string(id))
		}
	}
	return ""
}

// containerPid is the main process of a container; zero when there is none (yet).
func (x *attempt) containerPid(path, name string) int64 {
	out, err := x.runtimeCommand(path, "inspect", "--format", "{{.State.Pid}}", name)
	if err != nil {
		return 0
	}
	pid, _ := strconv.ParseInt(out, 10, 64)
	return pid
}

// endMonitor ends the look for the container, and the container itself when the
// command was stopped: a daemon would run it on.
func (x *attempt) endMonitor() {
	m := x.monitor
	if m == nil {
		return
	}
	close(m.end)
	name := m.container()
	if x.stop.reason == job.ReasonNone && !x.keptBy() || name == "" || x.containerPid(m.path, name) == 0 {
		return
	}
	if out, err := x.runtimeCommand(m.path, "kill", name); err != nil {
		x.note("end the monitored container %s: %v: %s", name, err, out)
	}
}

// elsewhere reports whether processes outside of the attempt's own may count as its.
func (x *attempt) elsewhere() bool { return x.monitor != nil || x.prog.container.daemon() }

// outside are processes that count as the attempt's but are not its children: those
// of a container under a daemon, and of one that the command started.
func (x *attempt) outside(table proc.Table) []int {
	var pids []int
	if x.prog.container.daemon() {
		own := table.Tree(x.main.pid) // the daemon's client
		marked, _ := x.scope.Pids()
		pids = slices.DeleteFunc(marked, func(pid int) bool { return slices.Contains(own, pid) })
	}
	if m := x.monitor; m != nil {
		if pid := int(m.pid.Load()); pid != 0 {
			pids = append(pids, table.Tree(pid)...)
		}
	}
	slices.Sort(pids)
	pids = slices.Compact(pids)
	var cpu time.Duration
	for _, pid := range pids {
		cpu += table[pid].CPU()
	}
	x.looks.outside = max(x.looks.outside, cpu)
	return pids
}
