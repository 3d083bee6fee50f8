package cgroup

import (
	"bytes"
	"errors"
	"io/fs"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/muster-queue/muster/job"
)

// Leaf is the group of one command at a time. Making a group costs a fifth of
// starting a process, so a leaf is used again while nothing of the last command
// is left in it.
type Leaf struct {
	tree   *Tree
	path   string
	dir    int            // descriptor of the directory
	files  map[string]int // descriptors of what is read for every command
	set    Limits         // what the kernel was last told
	used   bool           // an earlier command ran in it
	killed bool           // see Kill
	base   Usage          // the counters when the present command began
}

// Limits bound what a group may use; zero means no bound.
type Limits struct {
	Memory int64 // bytes; reaching it, all of the group is killed
	CPU    int64 // thousandths of a core: the share when cores are contended
	CPUCap bool  // CPU is the most it ever gets, too
	Procs  int64 // processes and threads
}

// Usage is what a command used.
type Usage struct {
	CPU      time.Duration
	Peak     int64 // bytes; zero when there is no memory controller
	OOMKills int64 // processes the kernel killed for the memory limit
}

// keepable is how much memory (cached files, mostly) may stay charged to a leaf
// that is used again; more would count as the next command's.
const keepable = 4 << 20

// Leaf makes, or finds, the group of the runs in a slot.
func (t *Tree) Leaf(slot int) (*Leaf, error) {
	return t.leaf(LeafPath(t.path, slot))
}

func (t *Tree) leaf(path string) (*Leaf, error) {
	l := &Leaf{tree: t, path: path, files: map[string]int{}}
	if err := syscall.Mkdir(l.path, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, job.Errorf(job.Unavailable, "make control group %s: %w", l.path, err)
	}
	var err error
	if l.dir, err = syscall.Open(path, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0); err != nil {
		return nil, job.Errorf(job.Unavailable, "open control group %s: %w", path, err)
	}
	for _, name := range []string{"cgroup.events", "cpu.stat", "memory.peak", "memory.events", "memory.current"} {
		if fd, err := syscall.Open(filepath.Join(path, name), syscall.O_RDONLY|syscall.O_CLOEXEC, 0); err == nil {
			l.files[name] = fd
		}
	}
	if _, ok := l.files["cgroup.events"]; !ok {
		l.Close()
		return nil, job.Errorf(job.Unavailable, "control group %s has no cgroup.events", path)
	}
	return l, nil
}

// FD is what SysProcAttr.CgroupFD takes.
func (l *Leaf) FD() int { return l.dir }

// Path is the group's directory.
func (l *Leaf) Path() string { return l.path }

// Prepare sets the limits for the next command, each where its controller is
// (Tree.Has tells), and notes where the counters stand.
func (l *Leaf) Prepare(want Limits) error {
	if want != l.set {
		if err := l.limit(want); err != nil {
			return job.Wrap(err, "limit control group", l.path)
		}
		l.set = want
	}
	l.base = Usage{}
	if l.used {
		l.base = l.counters()
	}
	l.used = true
	return nil
}

func (l *Leaf) limit(want Limits) error {
	var errs []error
	set := func(controller, file, value string) {
		if l.tree.has[controller] {
			if err := write(filepath.Join(l.path, file), value); !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
			}
		}
	}
	set("memory", "memory.max", orMax(want.Memory))
	set("memory", "memory.oom.group", "1")
	if want.Memory > 0 {
		set("memory", "memory.swap.max", "0")
	}
	set("cpu", "cpu.weight", strconv.FormatInt(weight(want.CPU), 10))
	quota := "max"
	if want.CPUCap && want.CPU > 0 {
		quota = strconv.FormatInt(max(want.CPU*100, 1000), 10) + " 100000"
	}
	set("cpu", "cpu.max", quota)
	set("pids", "pids.max", orMax(want.Procs))
	return errors.Join(errs...)
}

// weight maps thousandths of a core to the kernel's 1 to 10000, 100 for one core.
func weight(cpu int64) int64 {
	if cpu <= 0 {
		return 100
	}
	return min(max(cpu/10, 1), 10000)
}

func orMax(n int64) string {
	if n <= 0 {
		return "max"
	}
	return strconv.FormatInt(n, 10)
}

// Usage is what the present command used so far.
func (l *Leaf) Usage() Usage {
	u := l.counters()
	u.CPU -= l.base.CPU
	u.OOMKills -= l.base.OOMKills
	return u
}

func (l *Leaf) counters() Usage {
	var u Usage
	u.CPU = time.Duration(l.number("cpu.stat", "usage_usec")) * time.Microsecond
	if l.tree.has["memory"] {
		u.Peak = l.number("memory.peak", "")
		u.OOMKills = l.number("memory.events", "oom_kill")
	}
	return u
}

// number reads the value of key in one of the group's files, or the only number
// in it; zero when it is not there.
func (l *Leaf) number(file, key string) int64 {
	fd, ok := l.files[file]
	if !ok {
		return 0
	}
	var buf [1024]byte
	n, err := syscall.Pread(fd, buf[:], 0)
	if err != nil || n <= 0 {
		return 0
	}
	return find(buf[:n], key)
}

func find(b []byte, key string) int64 {
	for line := range bytes.Lines(b) {
		name, value, ok := bytes.Cut(bytes.TrimSpace(line), []byte{' '})
		if !ok {
			name, value = nil, name
		}
		if string(name) == key {
			n, _ := strconv.ParseInt(string(value), 10, 64)
			return n
		}
	}
	return 0
}

// Populated reports whether any process, zombies not counted, is in the group
// or below it.
func (l *Leaf) Populated() bool { return l.number("cgroup.events", "populated") != 0 }

// Pids lists the processes in the group and below it.
func (l *Leaf) Pids() []int { return Pids(l.path) }

// Kill ends everything in the group, see the function Kill. Nothing can be born
// into it afterwards: there are kernels (6.18 is one) that take a process which
// begins in a group that was ever killed for one that the kill has missed.
func (l *Leaf) Kill() error {
	l.killed = true
	return Kill(l.path)
}

// Renew makes the group anew, with the same limits, if it was killed. It must be
// empty. What was used so far is forgotten.
func (l *Leaf) Renew() error {
	if !l.killed {
		return nil
	}
	limits := l.set
	l.Close()
	fresh, err := l.tree.leaf(l.path)
	if err != nil {
		return err
	}
	*l = *fresh
	return l.Prepare(limits)
}

// Reusable reports whether nothing of the command that ended would be counted
// as the next one's, and the next one can be born here: the group was not killed,
// there are no groups made inside, no memory is still charged, the peak can be told.
func (l *Leaf) Reusable() bool {
	var st syscall.Stat_t
	if l.killed || syscall.Fstat(l.dir, &st) != nil || st.Nlink > 2 {
		return false
	}
	if !l.tree.has["memory"] {
		return true
	}
	return l.number("memory.current", "") < keepable && l.number("memory.peak", "") < keepable
}

// Close removes the group. It may be called again.
func (l *Leaf) Close() {
	if l.dir < 0 {
		return
	}
	syscall.Close(l.dir)
	for _, fd := range l.files {
		syscall.Close(fd)
	}
	l.dir, l.files = -1, nil
	_ = remove(l.path)
}

// LeafPath is where the group of the runs in a slot is, below an agent's.
func LeafPath(tree string, slot int) string {
	return filepath.Join(tree, strconv.Itoa(slot))
}
