package api

import (
	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

// FromAttempt is a as a message; nil for nil.
func FromAttempt(a *job.Attempt) *musterv1.Attempt {
	if a == nil {
		return nil
	}
	return &musterv1.Attempt{
		Id: a.ID.String(), Number: a.Number, Version: a.Version,
		Worker: valid(a.Worker), Host: valid(a.Host),
		Granted: FromTime(a.Granted), Started: FromTime(a.Started), Ended: FromTime(a.Ended),
		Outcome: a.Outcome.String(), Result: FromResult(&a.Result), Data: a.Data,
		Asked: (&writer{}).amounts(a.Asked), Time: FromDuration(a.Time),
	}
}

// ToAttempt is the attempt of a message; nil for nil. The error is Invalid and
// names the field.
func ToAttempt(m *musterv1.Attempt) (*job.Attempt, error) {
	if m == nil {
		return nil, nil
	}
	a := &job.Attempt{Number: m.Number, Version: m.Version, Worker: m.Worker, Host: m.Host, Data: m.Data, Asked: m.Asked}
	var r reader
	a.ID = read(&r, job.ParseAttemptID, m.Id)
	a.Granted = r.time("granted", m.Granted)
	a.Started = r.time("started", m.Started)
	a.Ended = r.time("ended", m.Ended)
	a.Time = r.duration("time", m.Time)
	a.Outcome = read(&r, ParseOutcome, m.Outcome)
	result, err := ToResult(m.Result)
	r.keep(err)
	a.Result = result
	return a, r.err
}

// FromResult is r as a message; nil for one that says nothing.
func FromResult(r *job.Result) *musterv1.Result {
	if emptyResult(r) {
		return nil
	}
	return &musterv1.Result{
		Exited: r.Exited, ExitCode: i32(r.ExitCode), Signal: valid(r.Signal), Core: r.Core,
		Reason: r.Reason.Word(), Message: valid(r.Message),
		PeakMemory: r.PeakMemory, PeakDisk: r.PeakDisk,
		CpuTime: FromDuration(r.CPUTime), WallTime: FromDuration(r.WallTime), OomKills: r.OOMKills,
		Pid: i32(r.Pid), Dir: valid(r.Dir),
		Stdout: fromOutput(&r.Stdout), Stderr: fromOutput(&r.Stderr), Log: (&writer{}).texts(r.Log),
	}
}

// ToResult is the result of a message, empty for nil. The error is Invalid and
// names the field.
func ToResult(m *musterv1.Result) (job.Result, error) {
	if m == nil {
		return job.Result{}, nil
	}
	r := job.Result{
		Exited: m.Exited, ExitCode: int(m.ExitCode), Signal: m.Signal, Core: m.Core, Message: m.Message,
		PeakMemory: m.PeakMemory, PeakDisk: m.PeakDisk, OOMKills: m.OomKills,
		Pid: int(m.Pid), Dir: m.Dir, Stdout: toOutput(m.Stdout), Stderr: toOutput(m.Stderr), Log: m.Log,
	}
	var in reader
	r.Reason = read(&in, job.ParseReason, m.Reason)
	r.CPUTime = in.duration("cpu_time", m.CpuTime)
	r.WallTime = in.duration("wall_time", m.WallTime)
	return r, in.err
}

func fromOutput(o *job.Output) *musterv1.Output {
	if o.Size() == 0 && o.Omitted == 0 && o.Path == "" {
		return nil
	}
	return &musterv1.Output{Head: o.Head, Tail: o.Tail, Omitted: o.Omitted, Path: valid(o.Path)}
}

func toOutput(m *musterv1.Output) job.Output {
	return job.Output{Head: m.GetHead(), Tail: m.GetTail(), Omitted: m.GetOmitted(), Path: m.GetPath()}
}

// FromCounts is c as a message.
func FromCounts(c *job.Counts) *musterv1.Counts {
	return &musterv1.Counts{
		Blocked: c[job.Blocked], Delayed: c[job.Delayed], Ready: c[job.Ready], Reserved: c[job.Reserved],
		Running: c[job.Running], Lost: c[job.Lost], Buried: c[job.Buried], Complete: c[job.Complete],
	}
}

// ToCounts is the counts of a message, zero for nil.
func ToCounts(m *musterv1.Counts) job.Counts {
	return job.Counts{
		job.Blocked: m.GetBlocked(), job.Delayed: m.GetDelayed(), job.Ready: m.GetReady(), job.Reserved: m.GetReserved(),
		job.Running: m.GetRunning(), job.Lost: m.GetLost(), job.Buried: m.GetBuried(), job.Complete: m.GetComplete(),
	}
}

func emptyResult(r *job.Result) bool {
	return !r.Exited && r.ExitCode == 0 && r.Signal == "" && !r.Core && r.Reason == 0 && r.Message == "" &&
		r.PeakMemory == 0 && r.PeakDisk == 0 && r.CPUTime == 0 && r.WallTime == 0 && r.OOMKills == 0 &&
		r.Pid == 0 && r.Dir == "" && len(r.Log) == 0 && fromOutput(&r.Stdout) == nil && fromOutput(&r.Stderr) == nil
}
