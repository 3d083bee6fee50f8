package run

import (
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-queue/muster/agent/proc"
	"github.com/muster-queue/muster/job"
)

// scanner shares one look at the process table among the attempts that want one
// at about the same time.
type scanner struct {
	mu    sync.Mutex
	at    time.Time
	table proc.Table
}

// scanAge is how old a shared look may be.
const scanAge = 20 * time.Millisecond

func (s *scanner) recent() proc.Table {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.at) > scanAge {
		s.table, _ = proc.Scan()
		s.at = time.Now()
	}
	return s.table
}

// members lists the attempt's processes: those of its control group, or else
// those that descend from its process c, are in its session or carry its mark.
// Only processes younger than c can.
func (x *attempt) members(c *child, table proc.Table) []int {
	if x.leaf != nil {
		return x.leaf.Pids()
	}
	pids := table.Tree(c.pid)
	in := make(map[int]bool, len(pids))
	for _, pid := range pids {
		in[pid] = true
	}
	first := table[c.pid].Start
	for pid, p := range table {
		if !in[pid] && p.Start >= first && x.scope.Has(pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// signal signals all of the attempt's processes while c, the one that started
// them, is not yet reaped.
func (x *attempt) signal(c *child, sig unix.Signal) {
	if x.leaf != nil && sig == unix.SIGKILL {
		if err := x.leaf.Kill(); err != nil {
			x.note("kill: %v", err)
		}
		return
	}
	x.signalEach(c, sig)
	if sig == unix.SIGTERM {
		x.signalEach(c, unix.SIGCONT) // one that was stopped could not even end
	}
}

func (x *attempt) signalEach(c *child, sig unix.Signal) {
	_ = unix.Kill(-c.pid, sig)
	table, _ := proc.Scan()
	for _, pid := range x.members(c, table) {
		if p, ok := table[pid]; ok && p.Group != c.pid {
			_ = p.Signal(sig)
		}
	}
}

// endRest ends what a process of ours, ended but not yet reaped, left behind:
// background processes and daemons of the attempt. It returns when none is left.
func (x *attempt) endRest(c *child) {
	if x.leaf != nil {
		x.endGroup()
		return
	}
	_ = unix.Kill(-c.pid, unix.SIGKILL) // its zombie keeps the number from being reused
	if x.r.orphans {
		x.endOrphans(c)
		return
	}
	for wait := time.Millisecond; ; wait = min(2*wait, killAgain) {
		n, err := x.scope.SignalAll(unix.SIGKILL)
		if err != nil || n == 0 {
			return
		}
		time.Sleep(wait)
	}
}

// endGroup empties the control group. Its main process, a zombie, does not count.
func (x *attempt) endGroup() {
	if !x.leaf.Populated() {
		return
	}
	x.noteRest(x.leaf.Pids())
	for wait := 100 * time.Microsecond; x.leaf.Populated(); wait = min(2*wait, killAgain) {
		if err := x.leaf.Kill(); err != nil {
			x.note("end what is left: %v", err)
		}
		time.Sleep(wait)
	}
}

// endOrphans ends the attempt's processes that became our children when their
// parents ended, and theirs, until there are no more. Orphans that ended by
// themselves are reaped on the way, whosever they are.
func (x *attempt) endOrphans(c *child) {
	killed := map[int]bool{}
	for wait := 100 * time.Microsecond; ; wait = min(2*wait, killAgain) {
		pids, err := proc.Adopted()
		if err != nil {
			x.note("look for what is left: %v", err)
			return
		}
		var mine []int
		changed := false
		for _, pid := range pids {
			switch x.orphan(c, pid, killed) {
			case orphanOurs:
				mine = append(mine, pid)
				killed[pid] = true
				_ = unix.Kill(pid, unix.SIGKILL) // our child: its number is not reused before we reap it
			case orphanGone:
				changed = true // what it left may have become our child since
			}
		}
		if len(mine) == 0 && !changed {
			return
		}
		x.noteRest(mine)
		time.Sleep(wait)
	}
}

// orphan is what a child of this process is to an attempt.
type orphan uint8

const (
	orphanNot  orphan = iota // not an orphan of the attempt
	orphanOurs               // a living one
	orphanGone               // of whatever attempt: it has ended
)

// orphan looks at a child of this process. A dead orphan, of whatever attempt,
// it reaps. One that was killed is an orphan of the attempt until it is gone,
// though its mark cannot be seen any more.
func (x *attempt) orphan(c *child, pid int, killed map[int]bool) orphan {
	if x.r.isMain(pid) {
		return orphanNot
	}
	p, err := proc.Read(pid)
	switch {
	case err != nil:
		return orphanGone
	case p.Session == session():
		return orphanNot // started by another part of this program, which waits for it
	case p.Dead():
		x.r.reapOrphan(pid)
		return orphanGone
	case killed[pid] || p.Session == c.pid || x.scope.Has(pid):
		return orphanOurs
	}
	// One that was exiting showed no mark.
	if p, err = proc.Read(pid); err != nil || p.Exiting() {
		return orphanGone
	}
	return orphanNot
}

// session is this process's session.
var session = sync.OnceValue(func() int {
	sid, _ := unix.Getsid(os.Getpid())
	return sid
})

// isMain reports whether a process is one that its attempt will reap.
func (r *Runner) isMain(pid int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mains[pid]
}

// reapOrphan reaps a dead child that no attempt waits for. While a process is
// being born it is not yet known as main; so none may be.
func (r *Runner) reapOrphan(pid int) {
	r.born.Lock()
	defer r.born.Unlock()
	if !r.isMain(pid) {
		_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil)
	}
}

// noteRest tells, once, that a command which ended by itself left something.
func (x *attempt) noteRest(pids []int) {
	if !x.restNoted && len(pids) > 0 && x.stop.reason == job.ReasonNone {
		x.restNoted = true
		x.note("ended %d processes that it left in the background", len(pids))
	}
}
