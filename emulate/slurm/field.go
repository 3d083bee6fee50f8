package slurm

import (
	"path/filepath"
	"strings"
	"time"

	"github.com/muster-queue/muster/emulate"
	"github.com/muster-queue/muster/job"
)

// row is a line of a listing: a job, or with step the batch step of one, which only
// sacct (accounting) shows.
type row struct {
	*emulate.Shown
	now              time.Time
	accounting, step bool
}

// field is one thing that listings can show. Letter is its letter in squeue
// --format; long its name in squeue --Format, account that in sacct; the heads are
// the words above it.
type field struct {
	letter        string
	long, account string
	head          string
	value         func(*row) string
}

// fields are all; what a command does not call by a name it does not have.
var fields = []field{
	{"i", "jobarrayid", "JobID", "JOBID", func(r *row) string { return r.withStep(id(r.Shown)) }},
	{"A", "jobid", "JobIDRaw", "JOBID", func(r *row) string { return r.withStep(emulate.Digits(uint64(r.Seq))) }},
	{"F", "arrayjobid", "", "ARRAY_JOB_ID", func(r *row) string { return emulate.Digits(r.First()) }},
	{"K", "arraytaskid", "", "ARRAY_TASK_ID", func(r *row) string {
		if !r.Element() {
			return "N/A"
		}
		return emulate.Digits(r.Batch().Index)
	}},
	{"j", "name", "JobName", "NAME", func(r *row) string {
		if r.step {
			return "batch"
		}
		return r.Name()
	}},
	{"t", "statecompact", "", "ST", func(r *row) string { return stateOf(r.Shown).short }},
	{"T", "state", "State", "STATE", func(r *row) string { return stateOf(r.Shown).long }},
	{"u", "username", "User", "USER", func(r *row) string { return r.unlessStep(orElse(r.Batch().User, "-")) }},
	{"a", "account", "Account", "ACCOUNT", func(r *row) string { return r.Account }},
	{"P", "partition", "Partition", "PARTITION", func(r *row) string { return r.unlessStep(partition(r.Shown)) }},
	{"M", "timeused", "", "TIME", func(r *row) string { return clockText(r.Elapsed(r.now), true) }},
	{"", "", "Elapsed", "", func(r *row) string { return clockText(r.Elapsed(r.now), false) }},
	{"", "", "ElapsedRaw", "", func(r *row) string { return emulate.Digits(int64(r.Elapsed(r.now) / time.Second)) }},
	{"l", "timelimit", "", "TIME_LIMIT", func(r *row) string { return limitText(r.Job.Time, true) }},
	{"", "", "Timelimit", "", func(r *row) string { return r.unlessStep(limitText(r.Job.Time, false)) }},
	{"L", "timeleft", "", "TIME_LEFT", timeLeft},
	{"D", "numnodes", "NNodes", "NODES", func(*row) string { return "1" }},
	{"C", "numcpus", "NCPUS", "CPUS", func(r *row) string { return emulate.Digits(r.Cores()) }},
	{"", "", "AllocCPUS", "", func(r *row) string {
		if r.Host() == "" {
			return "0"
		}
		return emulate.Digits(r.Cores())
	}},
	{"", "", "ReqCPUS", "", func(r *row) string { return emulate.Digits(r.Cores()) }},
	{"m", "minmemory", "ReqMem", "MIN_MEMORY", func(r *row) string { return r.unlessStep(memoryText(r.Job.Needs[job.Memory])) }},
	{"R", "reasonlist", "", "NODELIST(REASON)", func(r *row) string {
		if host := r.Host(); host != "" && r.Finished().IsZero() {
			return emulate.ShortHost(host)
		}
		return "(" + reason(r.Shown) + ")"
	}},
	{"r", "reason", "Reason", "REASON", func(r *row) string { return reason(r.Shown) }},
	{"N", "nodelist", "NodeList", "NODELIST", func(r *row) string {
		if r.accounting && r.Host() == "" {
			return "None assigned"
		}
		return emulate.ShortHost(r.Host())
	}},
	{"B", "batchhost", "", "EXEC_HOST", func(r *row) string { return orElse(emulate.ShortHost(r.Host()), "n/a") }},
	{"k", "comment", "Comment", "COMMENT", func(r *row) string { return orElse(r.Batch().Comment, "(null)") }},
	{"o", "command", "", "COMMAND", func(r *row) string { return r.Name() }},
	{"Z", "workdir", "WorkDir", "WORK_DIR", func(r *row) string { return r.unlessStep(filepath.Clean(r.Command().Dir)) }},
	{"V", "submittime", "Submit", "SUBMIT_TIME", func(r *row) string { return stamp(r.Added, "Unknown") }},
	{"S", "starttime", "", "START_TIME", func(r *row) string { return stamp(r.Began(), "N/A") }},
	{"e", "endtime", "", "END_TIME", func(r *row) string { return stamp(r.expectedEnd(), "N/A") }},
	{"", "", "Start", "", func(r *row) string { return stamp(r.Began(), "Unknown") }},
	{"", "", "End", "", func(r *row) string { return stamp(r.Finished(), "Unknown") }},
	{"", "", "Eligible", "", func(r *row) string { return stamp(r.Added, "Unknown") }},
	{"Q", "priority", "Priority", "PRIORITY", func(r *row) string { return emulate.Digits(int64(r.Priority)) }},
	{"p", "", "", "PRIORITY", func(r *row) string { return emulate.Digits(int64(r.Priority)) }},
	{"q", "qos", "QOS", "QOS", func(r *row) string { return r.unlessStep("normal") }},
	{"E", "dependency", "", "DEPENDENCY", func(r *row) string {
		if r.State == job.Blocked {
			return "(unfulfilled)"
		}
		return "(null)"
	}},
	{"", "restartcnt", "Restarts", "RESTART_COUNT", func(r *row) string { return emulate.Digits(max(r.Attempts, 1) - 1) }},
	{"", "exit_code", "ExitCode", "EXIT_CODE", func(r *row) string { return exit(r.Shown) }},
	{"", "", "DerivedExitCode", "", func(r *row) string { return r.unlessStep(exit(r.Shown)) }},
	{"", "stdout", "", "STDOUT", func(r *row) string { return r.Batch().Stdout }},
	{"", "stderr", "", "STDERR", func(r *row) string { return r.Batch().Stderr }},
	{"b", "tres-per-node", "", "TRES_PER_NODE", func(r *row) string { return gpuText(r.Job.Needs, "gres/gpu:", "N/A") }},
	{"f", "feature", "Constraints", "FEATURES", func(r *row) string { return orElse(strings.Join(r.Job.Labels, "&"), "(null)") }},
	{"h", "oversubscribe", "", "OVER_SUBSCRIBE", func(*row) string { return "OK" }},
	{"", "cluster", "Cluster", "CLUSTER", func(*row) string { return Cluster }},
	{"", "tres", "ReqTRES", "TRES", func(r *row) string { return tres(r.Shown) }},
	{"", "", "AllocTRES", "", func(r *row) string {
		if r.Host() == "" {
			return ""
		}
		return tres(r.Shown)
	}},
	{"", "", "MaxRSS", "", func(r *row) string { return r.measured(kilobytes(r.Result().PeakMemory)) }},
	{"", "", "AveRSS", "", func(r *row) string { return r.measured(kilobytes(r.Result().PeakMemory)) }},
	{"", "", "MaxVMSize", "", func(*row) string { return "" }},
	{"", "", "MaxDiskWrite", "", func(r *row) string { return r.measured(kilobytes(r.Result().PeakDisk)) }},
	{"", "", "TotalCPU", "", func(r *row) string { return clockText(r.Result().CPUTime, false) }},
	{"", "", "UserCPU", "", func(r *row) string { return clockText(r.Result().CPUTime, false) }},
	{"", "", "SystemCPU", "", func(*row) string { return "00:00:00" }},
	{"", "", "CPUTime", "", func(r *row) string { return clockText(r.Elapsed(r.now)*time.Duration(r.Cores()), false) }},
	{"", "", "CPUTimeRAW", "", func(r *row) string {
		return emulate.Digits(int64(r.Elapsed(r.now)/time.Second) * r.Cores())
	}},
}

func (r *row) withStep(id string) string {
	if r.step {
		return id + ".batch"
	}
	return id
}

// unlessStep is empty for the batch step, which does not have it.
func (r *row) unlessStep(s string) string {
	if r.step {
		return ""
	}
	return s
}

// measured is empty for the job itself: its step has what was measured.
func (r *row) measured(s string) string {
	if !r.step {
		return ""
	}
	return s
}

func (r *row) expectedEnd() time.Time {
	if end := r.Finished(); !end.IsZero() {
		return end
	}
	if began := r.Began(); !began.IsZero() && r.Job.Time > 0 {
		return began.Add(r.Job.Time)
	}
	return time.Time{}
}

func timeLeft(r *row) string {
	if r.Job.Time == 0 {
		return "UNLIMITED"
	}
	return clockText(max(0, r.Job.Time-r.Elapsed(r.now)), true)
}

func limitText(d time.Duration, short bool) string {
	if d == 0 {
		return "UNLIMITED"
	}
	return clockText(d, short)
}

func kilobytes(n int64) string {
	if n == 0 {
		return "0"
	}
	return emulate.Digits((n+1023)>>10) + "K"
}

func gpuText(needs job.Resources, prefix, none string) string {
	if n := needs["gpu"]; n > 0 {
		return prefix + emulate.Digits(n/job.Thousandth)
	}
	return none
}

func tres(s *emulate.Shown) string {
	list := []string{"cpu=" + emulate.Digits(s.Cores()), "node=1"}
	if n := s.Job.Needs[job.Memory]; n > 0 {
		list = append(list, "mem="+memoryText(n))
	}
	if gpu := gpuText(s.Job.Needs, "gres/gpu=", ""); gpu != "" {
		list = append(list, gpu)
	}
	return strings.Join(list, ",")
}
