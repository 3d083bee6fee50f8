package engine

import (
	"slices"
	"strings"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/queue"
)

// states is the set of states the filter lets pass.
func (f *Filter) states() uint16 {
	var set uint16
	for _, s := range f.States {
		set |= 1 << s
	}
	if set == 0 {
		set = 1<<job.NumStates - 1
	}
	return set
}

// wants reports whether jobs of the state can match.
func (f *Filter) wants(s job.State) bool { return f.states()&(1<<s) != 0 }

func (f *Filter) wantsLive() bool { return f.states()&^(1<<job.Complete|1<<job.Absent) != 0 }

// groups are the groups that match, where more than a name is asked for.
func (f *Filter) groups() *GroupMatch {
	return &GroupMatch{Name: f.Group, Prefix: f.GroupPrefix, Part: f.GroupPart}
}

// narrow is the part of the filter the state machine has indexes for; false
// means that nothing can match.
func (w *writer) narrow(f *Filter) (queue.Filter, bool) {
	q := queue.Filter{States: f.states() &^ (1 << job.Complete)}
	if f.Queue != "" {
		n, ok := w.state.QueueNamed(f.Queue)
		if !ok {
			return q, false
		}
		q.Queue = job.QueueID(n.ID)
	}
	if f.Group != "" {
		n, ok := w.state.GroupNamed(f.Group)
		if !ok {
			return q, false
		}
		q.Group = job.GroupID(n.ID)
	}
	if f.Kind != "" {
		id, ok := w.state.KindNamed(f.Kind)
		if !ok {
			return q, false
		}
		q.Kind = id
	}
	if f.Worker != "" {
		row, ok := w.state.WorkerNamed(f.Worker)
		if !ok {
			return q, false
		}
		q.Worker = row.ID
	}
	if len(f.Reasons) == 1 {
		q.Reason = f.Reasons[0]
	}
	return q, true
}

// matches checks all that a filter says of a live job beyond narrow, its description
// apart.
func (w *writer) matches(f *Filter, l *job.Live) bool {
	if !f.matchLive(l) || f.Account != "" && w.payer(l) != f.Account {
		return false
	}
	if f.GroupPrefix == "" && f.GroupPart == "" {
		return true
	}
	name, _ := w.state.Group(l.Group)
	return f.groups().matches(name)
}

// matchLive checks what the state record tells beyond narrow.
func (f *Filter) matchLive(l *job.Live) bool {
	ended := job.Time(0)
	if l.State == job.Buried {
		ended = l.Since
	}
	return f.matchRecord(l) && f.Ended.in(ended)
}

// matchPast checks what the record of a complete job tells.
func (f *Filter) matchPast(p *job.Finished) bool {
	return f.matchRecord(&p.Live) && f.Ended.in(p.Ended)
}

func (f *Filter) matchRecord(l *job.Live) bool {
	return f.wants(l.State) &&
		(len(f.Reasons) == 0 || slices.Contains(f.Reasons, l.Reason)) &&
		(f.Exit == nil || l.Number > 0 && int(l.Exit) == *f.Exit) &&
		f.Added.in(l.Added) && f.Started.in(l.Started)
}

// needsJob reports whether the description must be read to decide.
func (f *Filter) needsJob() bool {
	return f.KeyPrefix != "" || f.KeyPart != "" || f.Command != "" || f.Submitter != ""
}

// matchJob checks the description.
func (f *Filter) matchJob(j *job.Job) bool {
	if !strings.HasPrefix(string(j.Key), f.KeyPrefix) || !strings.Contains(string(j.Key), f.KeyPart) ||
		f.Submitter != "" && j.Submitter != f.Submitter {
		return false
	}
	return f.Command == "" || j.Command != nil && strings.Contains(j.Command.String(), f.Command)
}
