package api

import (
	"maps"
	"slices"

	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

// ToJob is the job of a message, neither normalised nor validated. The error is
// Invalid and names the field.
func ToJob(m *musterv1.Job) (*job.Job, error) {
	j := &job.Job{}
	if err := fillJob(j, m); err != nil {
		return nil, err
	}
	return j, nil
}

// ToJobWith is ToJob with the fields that m leaves out taken from defaults. Maps
// and lists of both are joined. The result shares no memory that anybody writes.
func ToJobWith(m *musterv1.Job, defaults *job.Job) (*job.Job, error) {
	j := *defaults
	if len(m.GetNeeds()) > 0 && j.Needs != nil {
		j.Needs = maps.Clone(j.Needs)
	}
	if j.Command != nil {
		c := *j.Command
		j.Command = &c
		if m.GetData() != nil {
			j.Command = nil
		}
	}
	if m.GetCommand() != nil {
		j.Data = nil
	}
	if err := fillJob(&j, m); err != nil {
		return nil, err
	}
	return &j, nil
}

// fillJob sets those fields of j that m has.
func fillJob(j *job.Job, m *musterv1.Job) error {
	if m == nil {
		return nil
	}
	if len(m.Encoded) > 0 {
		*j = job.Job{}
		return asInvalid(job.Decode(m.Encoded, j))
	}
	var r reader
	r.identity(j, m)
	r.numbers(j, m)
	r.lists(j, m)
	if m.Command != nil {
		if j.Command == nil {
			j.Command = &job.Command{}
		}
		r.command(j.Command, m.Command)
	}
	if m.Data != nil {
		j.Data = m.Data
	}
	return r.err
}

// asInvalid makes what a sender got wrong the sender's fault: a description
// that was stored and cannot be read is Damaged, one that was sent is Invalid.
func asInvalid(err error) error {
	if err == nil {
		return nil
	}
	return job.Errorf(job.Invalid, "encoded: %w", err)
}

func (r *reader) identity(j *job.Job, m *musterv1.Job) {
	set(&j.Queue, m.Queue)
	if m.Key != "" {
		j.Key = read(r, ParseKey, m.Key)
	}
	set(&j.Group, m.Group)
	set(&j.Kind, m.Kind)
	set(&j.Account, m.Account)
	set(&j.Submitter, m.Submitter)
}

func (r *reader) numbers(j *job.Job, m *musterv1.Job) {
	if m.Priority != nil {
		j.Priority = *m.Priority
	}
	if m.Retries != nil {
		n := int(*m.Retries)
		j.Retries = &n
	}
	set(&j.Time, r.duration("time", m.Time))
	set(&j.NoRetryAfter, r.duration("no_retry_after", m.NoRetryAfter))
	set(&j.Lease, r.duration("lease", m.Lease))
	set(&j.NotBefore, r.time("not_before", m.NotBefore))
	set(&j.Override, read(r, ParseOverride, m.Override))
	set(&j.OnLost, read(r, ParseOnLost, m.OnLost))
	set(&j.NotPreemptible, m.NotPreemptible)
	set(&j.Wait, m.Wait)
	if m.Backoff != nil {
		j.Backoff = r.backoff(m.Backoff)
	}
}

func (r *reader) lists(j *job.Job, m *musterv1.Job) {
	if len(m.Needs) > 0 {
		if j.Needs == nil {
			j.Needs = make(job.Resources, len(m.Needs))
		}
		maps.Copy(j.Needs, m.Needs)
	}
	join(&j.Labels, m.Labels)
	join(&j.Prefer, m.Prefer)
	join(&j.DepGroups, m.DepGroups)
	join(&j.Limits, eachOf(m.Limits, toLimitUse))
	join(&j.Dependencies, eachOf(m.Dependencies, r.dependency))
}

func (r *reader) backoff(m *musterv1.Backoff) *job.Backoff {
	return &job.Backoff{
		Base: r.duration("backoff.base", m.Base), Jitter: r.duration("backoff.jitter", m.Jitter), Cap: r.duration("backoff.cap", m.Cap),
	}
}

func (r *reader) dependency(m *musterv1.Dependency) job.Dependency {
	d := job.Dependency{Group: m.Group, Queue: m.Queue, Static: m.Static, Key: read(r, ParseKey, m.Key)}
	condition, err := conditionWords.parse(m.Condition)
	r.keep(err)
	absent, err := ifAbsentWords.parse(m.IfAbsent)
	r.keep(err)
	d.Condition, d.IfAbsent = job.Condition(condition), job.IfAbsent(absent)
	return d
}

func toLimitUse(m *musterv1.LimitUse) job.LimitUse {
	return job.LimitUse{Name: m.Name, Weight: m.Weight}
}

// set gives a field the value a message has, if it has one.
func set[T comparable](field *T, v T) {
	var none T
	if v != none {
		*field = v
	}
}

// join adds what a message has to a list, without writing into what the list
// may share with others.
func join[L ~[]T, T any](list *L, more []T) {
	if len(*list) == 0 {
		if len(more) > 0 {
			*list = more
		}
		return
	}
	*list = append(slices.Clip(*list), more...)
}

// FromJob is j as a message. When something in it is not UTF-8, the message
// also has it in its stored form.
func FromJob(j *job.Job) *musterv1.Job {
	var w writer
	m := &musterv1.Job{
		Queue: w.text(j.Queue), Group: w.text(j.Group), Kind: w.text(j.Kind), Account: w.text(j.Account), Submitter: w.text(j.Submitter),
		Data: j.Data, Needs: w.amounts(j.Needs), Override: overrideWords.text(uint8(j.Override)), OnLost: onLostWords.text(uint8(j.OnLost)),
		Labels: w.texts(j.Labels), Prefer: w.texts(j.Prefer), DepGroups: w.texts(j.DepGroups),
		Time: FromDuration(j.Time), NoRetryAfter: FromDuration(j.NoRetryAfter), Lease: FromDuration(j.Lease),
		NotBefore: FromTime(j.NotBefore), NotPreemptible: j.NotPreemptible, Wait: j.Wait,
		Backoff: fromBackoff(j.Backoff), Retries: fromInt(j.Retries),
		Limits:       each(j.Limits, w.limitUse),
		Dependencies: each(j.Dependencies, w.dependency),
		Command:      w.command(j.Command),
	}
	if j.Key != "" {
		m.Key = KeyText(j.Key)
	}
	if j.Priority != 0 {
		p := j.Priority
		m.Priority = &p
	}
	if w.lossy {
		m.Encoded, _ = job.Encode(nil, j)
	}
	return m
}

func fromInt(n *int) *int32 {
	if n == nil {
		return nil
	}
	v := i32(*n)
	return &v
}

func fromBackoff(b *job.Backoff) *musterv1.Backoff {
	if b == nil {
		return nil
	}
	return &musterv1.Backoff{Base: FromDuration(b.Base), Jitter: FromDuration(b.Jitter), Cap: FromDuration(b.Cap)}
}

func (w *writer) limitUse(l *job.LimitUse) *musterv1.LimitUse {
	return &musterv1.LimitUse{Name: w.text(l.Name), Weight: l.Weight}
}

func (w *writer) dependency(d *job.Dependency) *musterv1.Dependency {
	m := &musterv1.Dependency{
		Group: w.text(d.Group), Queue: w.text(d.Queue), Static: d.Static,
		Condition: conditionWords.text(uint8(d.Condition)), IfAbsent: ifAbsentWords.text(uint8(d.IfAbsent)),
	}
	switch {
	case d.Key != "":
		m.Key = KeyText(d.Key)
	case d.Command != nil:
		m.Key = KeyText(d.Command.Key())
	}
	return m
}
