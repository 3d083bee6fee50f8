package api

import (
	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

// ToQueue is the queue of a message, not validated. The error is Invalid and
// names the field.
func ToQueue(m *musterv1.Queue) (*job.Queue, error) {
	if m == nil {
		m = &musterv1.Queue{}
	}
	q := &job.Queue{
		Name: m.Name, Definition: m.Definition, Runtime: m.Runtime, Priority: m.Priority, Weight: m.Weight, Paused: m.Paused,
		MaxRunning: m.MaxRunning, MaxPerRequest: m.MaxPerRequest, MaxAttempts: m.MaxAttempts,
		Continuous: m.Continuous, Then: m.Then, Account: m.Account,
		Retries: toInt(m.Retries), Losses: toInt(m.Losses),
		MinMemory: m.MinMemory, CanBeContinuous: m.CanBeContinuous, KeepFinished: m.KeepFinished, KeepAttempts: m.KeepAttempts,
		Labels: m.Labels, Prefer: m.Prefer,
	}
	var r reader
	q.KeepFinishedFor = r.duration("keep_finished_for", m.KeepFinishedFor)
	q.Interval = r.duration("interval", m.Interval)
	q.Lease = r.duration("lease", m.Lease)
	q.Order = read(&r, ParseOrder, m.Order)
	q.OnLost = read(&r, ParseOnLost, m.OnLost)
	if m.Backoff != nil {
		q.Backoff = r.backoff(m.Backoff)
	}
	return q, r.err
}

// FromQueue is q as a message.
func FromQueue(q *job.Queue) *musterv1.Queue {
	return &musterv1.Queue{
		Name: valid(q.Name), Definition: q.Definition, Runtime: valid(q.Runtime), Priority: q.Priority, Weight: q.Weight, Paused: q.Paused,
		MaxRunning: q.MaxRunning, MaxPerRequest: q.MaxPerRequest, MaxAttempts: q.MaxAttempts,
		Continuous: q.Continuous, Then: valid(q.Then), Account: valid(q.Account),
		Retries: fromInt(q.Retries), Losses: fromInt(q.Losses),
		MinMemory: q.MinMemory, CanBeContinuous: q.CanBeContinuous,
		KeepFinished: q.KeepFinished, KeepFinishedFor: FromDuration(q.KeepFinishedFor), KeepAttempts: q.KeepAttempts,
		Labels: new(writer).texts(q.Labels), Prefer: new(writer).texts(q.Prefer),
		Interval: FromDuration(q.Interval), Lease: FromDuration(q.Lease), Backoff: fromBackoff(q.Backoff),
		Order: orderWords.text(uint8(q.Order)), OnLost: onLostWords.text(uint8(q.OnLost)),
	}
}

func toInt(n *int32) *int {
	if n == nil {
		return nil
	}
	v := int(*n)
	return &v
}
