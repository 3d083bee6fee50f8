package run

import (
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-queue/muster/agent/proc"
	"github.com/muster-queue/muster/job"
)

// memoryByKernel reports whether the kernel measures and limits the attempt's
// memory itself.
func (x *attempt) memoryByKernel() bool {
	return x.leaf != nil && x.r.cfg.Home.Tree.Has("memory")
}

// lookAtMemory adds up what the attempt's processes occupy, and ends it when
// that is more than it needs said. Looks become rarer as the command ages and
// the dearer they are.
func (x *attempt) lookAtMemory(now time.Time) {
	if x.memoryByKernel() && !x.elsewhere() {
		x.looks.next = now.Add(time.Hour)
		return
	}
	before := threadCPU()
	var sum int64
	for _, pid := range x.measured() {
		if n, err := proc.Memory(pid); err == nil {
			sum += n
		}
	}
	x.result.PeakMemory = max(x.result.PeakMemory, sum)
	if need := x.spec.Needs[job.Memory]; need > 0 && sum > need {
		x.begin(job.ReasonMemory, fmt.Sprintf("used %s of memory, more than its %s", mib(sum), mib(need)), 0)
	}
	cost := threadCPU() - before
	x.looks.every = min(2*x.looks.every, x.r.cfg.Look)
	x.looks.next = now.Add(max(x.looks.every, min(lookShare*cost, lookMost)))
}

// measured are the processes whose use is the attempt's.
func (x *attempt) measured() []int {
	table := x.lookTable()
	if !x.elsewhere() {
		return x.members(x.main, table)
	}
	pids := x.outside(table)
	if !x.prog.container.daemon() { // its client is not the command
		pids = append(pids, x.members(x.main, table)...)
		slices.Sort(pids)
	}
	return slices.Compact(pids)
}

// lookTable is the process table, needed only where a control group does not tell.
func (x *attempt) lookTable() proc.Table {
	if x.leaf != nil && !x.elsewhere() {
		return nil
	}
	return x.r.scan.recent()
}

// lookAtDisk measures the directory and ends the attempt when it holds more than
// it needs said.
func (x *attempt) lookAtDisk(now time.Time) {
	before := threadCPU()
	used := x.dir.used()
	x.result.PeakDisk = max(x.result.PeakDisk, used)
	if need := x.spec.Needs[job.Disk]; used > need {
		x.begin(job.ReasonDisk, fmt.Sprintf("used %s of disk, more than its %s", mib(used), mib(need)), 0)
	}
	x.looks.disk = now.Add(max(x.r.cfg.Look, min(lookShare*(threadCPU()-before), lookMost)))
}

// threadCPU is what the present thread has used: the difference of two readings
// is what lies between costs, whatever else the machine is busy with. (Should the
// goroutine change threads in between, the next look is early or late, no more.)
func threadCPU() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_THREAD, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measure takes the final readings when everything has ended.
func (x *attempt) measure() {
	res := &x.result
	res.CPUTime = x.main.cpu()
	res.PeakDisk = max(res.PeakDisk, x.dir.used())
	if x.leaf != nil && (x.looks.reading || x.memoryByKernel()) {
		used := x.leaf.Usage()
		res.CPUTime = max(res.CPUTime, used.CPU)
		res.PeakMemory = max(res.PeakMemory, used.Peak)
		res.OOMKills = used.OOMKills
	}
	res.CPUTime += x.looks.outside
	if !x.memoryByKernel() {
		res.PeakMemory = max(res.PeakMemory, x.main.peak())
	}
}

// peak is the most the process, or one of those it waited for, had resident;
// zero when that cannot be told. A new process borrows our memory until it
// executes its program, and the kernel counts that in: a figure up to our own
// peak says nothing about it.
func (c *child) peak() int64 {
	var self unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &self) != nil || c.usage.Maxrss <= self.Maxrss {
		return 0
	}
	return c.usage.Maxrss << 10
}

func mib(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
