package home

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/muster-queue/muster/job"
)

// Table says what an incarnation runs and until when it may. It is a file mapped
// into memory, so that writing costs no system call, the keeper sees every
// change at once, and a successor on the same boot finds it although the agent
// was killed. It is never synced: after a new boot everything in it has ended.
type Table struct {
	mem   []byte
	slots []slot

	mu   sync.Mutex
	free []int
	runs uint64 // the last run number given
}

// DefaultSlots is how many commands an agent may run at once.
const DefaultSlots = 4096

// slot is one line of the table: eight words, each read and written atomically.
type slot struct {
	run    atomic.Uint64 // zero: free; written last when taken, first when freed
	epoch  atomic.Uint64
	n      atomic.Uint64
	pid    atomic.Int64
	start  atomic.Uint64
	term   atomic.Int64 // see Slot.Term
	kill   atomic.Int64
	keeper atomic.Uint64 // 1: the keeper ended the run
}

const slotSize = 64

// The header is a line too: a mark and the number of slots.
const tableMark = 0x31_656c_6261_746d // "mtable1"

// Slot is what the table says of one run.
type Slot struct {
	Index   int
	Run     uint64 // numbers the runs of an incarnation; never reused
	Attempt job.AttemptID
	Pid     int
	Start   uint64 // the process's start, in ticks since boot; zero: not known
	// Term and Kill are the times since boot (see Now) at which the run gets
	// SIGTERM and SIGKILL; zero means it has no deadline.
	Term, Kill time.Duration
	// Kept tells that the keeper ended it.
	Kept bool
}

// Now is the time since the machine booted, time asleep included: the clock of
// leases.
func Now() time.Duration {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) // cannot fail for this clock
	return time.Duration(t.Nano())
}

func tablePath(dir string, incarnation uint64) string {
	return filepath.Join(dir, fmt.Sprintf("running.%d", incarnation))
}

// forgetTables removes the tables of earlier incarnations.
func forgetTables(dir string) {
	old, _ := filepath.Glob(filepath.Join(dir, "running.*"))
	for _, path := range old {
		_ = os.Remove(path)
	}
}

func createTable(path string, slots int) (*Table, error) {
	if slots <= 0 {
		slots = DefaultSlots
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// Written in full, not left sparse: a store into a hole of a full disk would
	// kill the agent.
	if _, err := f.Write(make([]byte, (1+slots)*slotSize)); err != nil {
		return nil, err
	}
	t, err := mapTable(f, slots)
	if err != nil {
		return nil, err
	}
	t.header().epoch.Store(uint64(slots))
	t.header().run.Store(tableMark)
	for i := slots - 1; i >= 0; i-- {
		t.free = append(t.free, i)
	}
	return t, nil
}

// OpenTable maps the table of an incarnation that another process writes.
func OpenTable(dir string, incarnation uint64) (*Table, error) {
	f, err := os.OpenFile(tablePath(dir, incarnation), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	slots := int(info.Size()/slotSize) - 1
	if slots < 1 {
		return nil, job.Errorf(job.Damaged, "%s has only %d bytes", f.Name(), info.Size())
	}
	t, err := mapTable(f, slots)
	if err != nil {
		return nil, err
	}
	if t.header().run.Load() != tableMark || t.header().epoch.Load() != uint64(slots) {
		return nil, errors.Join(job.Errorf(job.Damaged, "%s is not a table of running commands", f.Name()), t.Close())
	}
	return t, nil
}

func mapTable(f *os.File, slots int) (*Table, error) {
	mem, err := unix.Mmap(int(f.Fd()), 0, (1+slots)*slotSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return nil, job.Wrap(err, "map", f.Name())
	}
	return &Table{mem: mem, slots: unsafe.Slice((*slot)(unsafe.Pointer(&mem[0])), 1+slots)}, nil
}

func (t *Table) header() *slot { return &t.slots[0] }

func (t *Table) at(index int) *slot { return &t.slots[1+index] }

// Take notes that an attempt is about to run, until the given times (zero:
// without a deadline). It fails with job.Exhausted when all slots are taken.
func (t *Table) Take(a job.AttemptID, term, kill time.Duration) (Slot, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.free) == 0 {
		return Slot{}, job.Errorf(job.Exhausted, "this agent runs %d commands already, as many as it can", len(t.slots)-1)
	}
	index := t.free[len(t.free)-1]
	t.free = t.free[:len(t.free)-1]
	t.runs++
	s := t.at(index)
	s.epoch.Store(uint64(a.Epoch))
	s.n.Store(a.N)
	s.pid.Store(0)
	s.start.Store(0)
	s.term.Store(int64(term))
	s.kill.Store(int64(kill))
	s.keeper.Store(0)
	s.run.Store(t.runs)
	return Slot{Index: index, Run: t.runs, Attempt: a, Term: term, Kill: kill}, nil
}

// Free notes that nothing of a run is left.
func (t *Table) Free(index int) {
	t.at(index).run.Store(0)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.free = append(t.free, index)
}

// SetProcess notes a run's main process.
func (t *Table) SetProcess(index, pid int, start uint64) {
	t.at(index).start.Store(start)
	t.at(index).pid.Store(int64(pid))
}

// Extend moves a run's deadline.
func (t *Table) Extend(index int, term, kill time.Duration) {
	t.at(index).kill.Store(int64(kill))
	t.at(index).term.Store(int64(term))
}

// Keep notes that the keeper ends a run.
func (t *Table) Keep(index int) { t.at(index).keeper.Store(1) }

// Get reads one slot.
func (t *Table) Get(index int) Slot {
	s := t.at(index)
	return Slot{
		Index:   index,
		Run:     s.run.Load(),
		Attempt: job.AttemptID{Epoch: uint32(s.epoch.Load()), N: s.n.Load()},
		Pid:     int(s.pid.Load()),
		Start:   s.start.Load(),
		Term:    time.Duration(s.term.Load()),
		Kill:    time.Duration(s.kill.Load()),
		Kept:    s.keeper.Load() != 0,
	}
}

// Running lists the slots taken.
func (t *Table) Running() []Slot {
	var list []Slot
	for i := range len(t.slots) - 1 {
		if s := t.Get(i); s.Run != 0 {
			list = append(list, s)
		}
	}
	return list
}

// Slots is how many commands may run at once.
func (t *Table) Slots() int { return len(t.slots) - 1 }

// Close unmaps the table.
func (t *Table) Close() error { return unix.Munmap(t.mem) }
