package api

import (
	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

// ToWorker is the worker of a message, empty for nil. The error is Invalid and
// names the field.
func ToWorker(m *musterv1.Worker) (job.Worker, error) {
	if m == nil {
		return job.Worker{}, nil
	}
	var r reader
	w := job.Worker{
		Name: m.Name, Parent: m.Parent, Mode: m.Mode, Host: m.Host, Pid: int(m.Pid), Agent: m.Agent,
		Machine: m.Machine, Boot: m.Boot, Dir: m.Dir, Incarnation: m.Incarnation,
		Labels: m.Labels, Capacity: m.Capacity, Until: r.time("until", m.Until), Data: m.Data, Expires: r.time("expires", m.Expires),
	}
	return w, r.err
}

// FromWorker is w as a message.
func FromWorker(w *job.Worker) *musterv1.Worker {
	var out writer
	return &musterv1.Worker{
		Name: valid(w.Name), Parent: valid(w.Parent), Mode: valid(w.Mode), Host: valid(w.Host), Pid: i32(w.Pid), Agent: w.Agent,
		Machine: valid(w.Machine), Boot: valid(w.Boot), Dir: valid(w.Dir), Incarnation: w.Incarnation,
		Labels: out.texts(w.Labels), Capacity: out.amounts(w.Capacity), Until: FromTime(w.Until), Data: w.Data, Expires: FromTime(w.Expires),
	}
}

// FromHello is the worker an agent is, as it says in its hello; its name is the
// server's to give.
func FromHello(m *musterv1.Hello) (job.Worker, error) {
	if m == nil {
		return job.Worker{}, job.Errorf(job.Invalid, "the first message of an agent must have hello")
	}
	var r reader
	w := job.Worker{
		Parent: m.Parent, Mode: m.Mode, Host: m.Host, Pid: int(m.Pid), Agent: true,
		Machine: m.Machine, Boot: m.Boot, Dir: m.Dir, Incarnation: m.Incarnation,
		Labels: m.Labels, Capacity: m.Capacity, Until: r.time("until", m.Until), Data: m.Data, Version: m.Version,
	}
	return w, r.err
}
