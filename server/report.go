package server

import (
	"time"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// maxReports bounds the reports of one message.
const maxReports = 10_000

var reportKinds = map[v1.Report_Action]engine.ReportKind{
	v1.Report_start:     engine.ReportStart,
	v1.Report_renew:     engine.ReportRenew,
	v1.Report_complete:  engine.ReportComplete,
	v1.Report_release:   engine.ReportRelease,
	v1.Report_bury:      engine.ReportBury,
	v1.Report_give_back: engine.ReportReturn,
}

// readReport reads one report.
func readReport(m *v1.Report) (engine.Report, error) {
	kind, ok := reportKinds[m.Action]
	if !ok {
		return engine.Report{}, job.Errorf(job.Invalid, "action: %d is none a report can have", m.Action)
	}
	result, err := readResult(m)
	if err != nil {
		return engine.Report{}, err
	}
	r := engine.Report{
		Ref: refOf(m), Kind: kind, Result: result, Data: m.Data,
		Lease: time.Duration(m.Lease), Started: unixTime(m.Started), Ended: unixTime(m.Ended), Remove: m.Remove,
	}
	if m.Delay != nil {
		delay := time.Duration(*m.Delay)
		r.Delay = &delay
	}
	for _, o := range m.Outputs {
		j, err := api.ToJob(o)
		if err != nil {
			return engine.Report{}, job.Wrap(err, "read", "outputs")
		}
		r.Outputs = append(r.Outputs, j)
	}
	return r, nil
}

// readResult reads the result of a report. A reason that a newer worker knows
// and this server does not is one all the same: what ended must be believed.
func readResult(m *v1.Report) (job.Result, error) {
	if m.Result == nil {
		return job.Result{Pid: int(m.Pid), Dir: m.Dir}, nil
	}
	if _, err := job.ParseReason(m.Result.Reason); err != nil {
		m.Result.Message = "(" + m.Result.Reason + ") " + m.Result.Message
		m.Result.Reason = job.ReasonWorker.Word()
	}
	return api.ToResult(m.Result)
}

func unixTime(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

// reportAnswer is what is said to one report.
func reportAnswer(item uint64, a *engine.ReportAnswer) *v1.ReportAnswer {
	m := &v1.ReportAnswer{Item: item, Error: api.FromError(a.Err), Stopping: a.Mark.String(), Due: api.FromTime(a.Due)}
	if a.State != job.Absent {
		m.State = a.State.String()
	}
	return m
}
