package job

import "time"

// Worker is whoever takes jobs: a pulling client, or an agent on a machine.
type Worker struct {
	// Name is its id, unique in the namespace.
	Name   string `cbor:"2,keyasint"`
	Parent string `cbor:"3,keyasint,omitempty"`
	Mode   string `cbor:"4,keyasint,omitempty"`
	Host   string `cbor:"5,keyasint,omitempty"`
	Pid    int    `cbor:"6,keyasint,omitempty"`

	// Agent tells an agent (commands, pushed to it) from a pulling client.
	Agent bool `cbor:"7,keyasint,omitempty"`
	// Machine, Boot and Dir identify an agent across its incarnations:
	// machine id, boot id and state directory. Incarnation counts its starts.
	Machine     string `cbor:"8,keyasint,omitempty"`
	Boot        string `cbor:"9,keyasint,omitempty"`
	Dir         string `cbor:"10,keyasint,omitempty"`
	Incarnation uint64 `cbor:"11,keyasint,omitempty"`

	Labels   Labels    `cbor:"12,keyasint,omitempty"`
	Capacity Resources `cbor:"13,keyasint,omitempty"`
	// Until is when its alloc ends; zero means never.
	Until time.Time `cbor:"14,keyasint,omitzero"`
	// Data is free-form.
	Data []byte `cbor:"15,keyasint,omitempty"`
	// Expires is until when the worker counts as active, by its last announcement;
	// zero: it never announced itself with a time, or left.
	Expires time.Time `cbor:"16,keyasint,omitzero"`
	// Version is that of the program.
	Version string `cbor:"17,keyasint,omitempty"`
}

// SameMachine reports whether two agents are incarnations of one: same machine
// and state directory, whatever the boot.
func (w *Worker) SameMachine(o *Worker) bool {
	return w.Agent && o.Agent && w.Machine != "" && w.Machine == o.Machine && w.Dir == o.Dir
}

// MaxWorkerData bounds what a worker says of itself, free-form.
const MaxWorkerData = MaxJob

// Validate checks what a worker says of itself. The error is Invalid and names
// the field.
func (w *Worker) Validate() error {
	if err := CheckName("worker", w.Name); err != nil {
		return err
	}
	for _, f := range []struct{ field, value string }{
		{"parent", w.Parent}, {"mode", w.Mode}, {"host", w.Host}, {"machine", w.Machine}, {"boot", w.Boot}, {"version", w.Version},
	} {
		if len(f.value) > MaxName {
			return Errorf(Invalid, "worker %s: %s of %d bytes; at most %d", w.Name, f.field, len(f.value), MaxName)
		}
	}
	if len(w.Dir) > MaxKey {
		return Errorf(Invalid, "worker %s: directory of %d bytes; at most %d", w.Name, len(w.Dir), MaxKey)
	}
	if w.Agent && (w.Machine == "" || w.Boot == "" || w.Dir == "") {
		return Errorf(Invalid, "agent %s: machine, boot and directory are needed, they tell its successor from a stranger", w.Name)
	}
	if len(w.Data) > MaxWorkerData {
		return Errorf(Invalid, "worker %s: data of %d bytes; at most %d", w.Name, len(w.Data), MaxWorkerData)
	}
	if err := w.Labels.Validate("worker " + w.Name + ": labels"); err != nil {
		return err
	}
	return Wrap(w.Capacity.Validate(), "", "worker "+w.Name)
}
