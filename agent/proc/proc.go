// Package proc looks at the machine's processes through /proc: which there are,
// who descends from whom, which carry an agent's mark, how much memory they
// use; and it ends all that carry a mark. It is the way to find and end
// commands where no cgroup can be had. Packages home, keeper and run call it.
package proc

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-queue/muster/job"
)

// Process is one line of the process table.
type Process struct {
	Pid, Parent, Group, Session int
	// Start is when it began, in clock ticks since boot; with the pid it names
	// a process for good, although pids are reused.
	Start uint64
	// State is the letter ps shows; 'Z' is a zombie.
	State byte

	ticks  uint64 // of processor time, its own and of children it waited for
	flags  uint64
	envEnd uint64 // where its environment ends in its memory; zero: not set up
}

// Flags of a process, as the kernel counts them.
const (
	flagExiting = 0x4
	flagKernel  = 0x200000
)

// executing reports whether the process is between two programs: it has the new
// one's memory, in which there is no environment yet.
func (p Process) executing() bool {
	return !p.Dead() && p.flags&(flagExiting|flagKernel) == 0 && p.envEnd == 0
}

// Exiting reports whether the process runs no more of its program, though it may
// not be dead yet: its children may still become somebody else's.
func (p Process) Exiting() bool { return p.Dead() || p.flags&flagExiting != 0 }

// Dead reports whether the process has ended and only waits to be reaped.
func (p Process) Dead() bool { return p.State == 'Z' || p.State == 'X' }

// CPU is the processor time that the process and those it waited for have used.
func (p Process) CPU() time.Duration { return time.Duration(p.ticks) * time.Second / userHZ }

// userHZ is how many ticks of /proc make a second, on every Linux that Go runs on.
const userHZ = 100

// Read returns one process; the error is os.ErrNotExist when there is none.
func Read(pid int) (Process, error) {
	var buf [1024]byte
	b, err := read("/proc/"+strconv.Itoa(pid)+"/stat", buf[:])
	if err != nil {
		return Process{}, err
	}
	return parseStat(pid, b)
}

// parseStat reads the line of /proc/PID/stat. The command's name, in
// parentheses, may itself hold blanks and parentheses: the last one ends it.
func parseStat(pid int, b []byte) (Process, error) {
	end := bytes.LastIndexByte(b, ')')
	if end < 0 {
		return Process{}, job.Errorf(job.Internal, "process %d: its stat line %.80q cannot be read", pid, b)
	}
	fields := bytes.Fields(b[end+1:])
	if len(fields) < 49 {
		return Process{}, job.Errorf(job.Internal, "process %d: its stat line has %d fields", pid, len(fields))
	}
	num := func(i int) uint64 { n, _ := strconv.ParseUint(string(fields[i]), 10, 64); return n }
	return Process{
		Pid: pid, State: fields[0][0], Parent: int(num(1)), Group: int(num(2)), Session: int(num(3)),
		Start: num(19), ticks: num(11) + num(12) + num(13) + num(14), flags: num(6), envEnd: num(48),
	}, nil
}

// Alive reports whether the process that began at start still runs under pid.
func Alive(pid int, start uint64) bool {
	p, err := Read(pid)
	return err == nil && p.Start == start && !p.Dead()
}

// Pids lists the ids of all processes.
func Pids() ([]int, error) {
	d, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	pids := make([]int, 0, len(names))
	for _, name := range names {
		if name[0] < '0' || name[0] > '9' {
			continue
		}
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// Table is the process table at one moment.
type Table map[int]Process

// Scan reads the process table.
func Scan() (Table, error) {
	pids, err := Pids()
	if err != nil {
		return nil, err
	}
	t := make(Table, len(pids))
	for _, pid := range pids {
		if p, err := Read(pid); err == nil {
			t[pid] = p
		}
	}
	return t, nil
}

// Tree lists the living processes that descend from root or are in its session,
// root included.
func (t Table) Tree(root int) []int {
	in := map[int]bool{root: true}
	for grown := true; grown; {
		grown = false
		for pid, p := range t {
			if !in[pid] && (in[p.Parent] || p.Session == root) {
				in[pid], grown = true, true
			}
		}
	}
	var pids []int
	for pid := range in {
		if p, ok := t[pid]; ok && !p.Dead() {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Adopted lists the children of the calling process's first thread: those it
// started itself and the orphans the kernel gave it as a subreaper.
func Adopted() ([]int, error) {
	self := strconv.Itoa(os.Getpid())
	var buf [4096]byte
	b, err := read("/proc/self/task/"+self+"/children", buf[:])
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, f := range bytes.Fields(b) {
		if pid, err := strconv.Atoi(string(f)); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// Memory is what the process occupies in bytes: shared pages counted in
// proportion where the kernel tells, else its resident set.
func Memory(pid int) (int64, error) {
	var buf [4096]byte
	b, err := read("/proc/"+strconv.Itoa(pid)+"/smaps_rollup", buf[:])
	if err == nil {
		if kb, ok := field(b, "Pss:"); ok {
			return kb << 10, nil
		}
	}
	b, err = read("/proc/"+strconv.Itoa(pid)+"/statm", buf[:])
	if err != nil {
		return 0, err
	}
	f := bytes.Fields(b)
	if len(f) < 2 {
		return 0, nil
	}
	pages, err := strconv.ParseInt(string(f[1]), 10, 64)
	return pages * int64(os.Getpagesize()), err
}

// field finds "name   123 kB" at the start of a line.
func field(b []byte, name string) (int64, bool) {
	for line := range bytes.Lines(b) {
		rest, ok := bytes.CutPrefix(line, []byte(name))
		if !ok {
			continue
		}
		if f := bytes.Fields(rest); len(f) > 0 {
			n, err := strconv.ParseInt(string(f[0]), 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}

// read reads a small file of /proc without what package os adds; a file longer
// than buf is read on into a larger one.
func read(path string, buf []byte) ([]byte, error) {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer syscall.Close(fd)
	n := 0
	for {
		m, err := syscall.Read(fd, buf[n:])
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return nil, err
		}
		if m == 0 {
			return buf[:n], nil
		}
		if n += m; n == len(buf) {
			buf = append(buf, make([]byte, len(buf))...)
		}
	}
}

// Signal sends sig to the process if it is still the same one. It is pinned
// before it is looked at, so that a reused pid is never hit.
func (p Process) Signal(sig unix.Signal) error {
	fd, err := unix.PidfdOpen(p.Pid, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if !Alive(p.Pid, p.Start) {
		return unix.ESRCH
	}
	return unix.PidfdSendSignal(fd, sig, nil, 0)
}
