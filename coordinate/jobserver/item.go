package jobserver

import (
	"fmt"
	"math"
	"time"

	"github.com/muster-queue/muster/coordinate"
	"github.com/muster-queue/muster/coordinate/cborrpc"
	"github.com/muster-queue/muster/job"
)

// item is a work unit as a client adds it.
type item struct {
	key      string
	data     cborrpc.Value
	priority float64
	delay    time.Duration
}

// noData is the dictionary of a unit that was given without one.
var noData = cborrpc.Value{0xa0}

// readItem reads a work unit: its key alone, or a list of key, data and, if
// wanted, meta and priority.
func readItem(v cborrpc.Value) (u item, err error) {
	if key, ok := v.Str(); ok {
		return item{key: key, data: noData}, checkKey(key)
	}
	if !v.IsList() {
		return u, coordinate.ErrWorkUnitNotList
	}
	var parts [4]cborrpc.Value
	n := 0
	for part := range v.Items() {
		if n < len(parts) {
			parts[n] = part
		}
		n++
	}
	if n < 2 {
		return u, coordinate.ErrWorkUnitTooShort
	}
	key, ok := parts[0].Str()
	if !ok {
		return u, job.Errorf(job.Invalid, "the key of a work unit must be a string")
	}
	u.key = key
	if err := checkKey(u.key); err != nil {
		return u, err
	}
	if err := u.readData(parts[1]); err != nil {
		return u, job.Wrap(err, "work unit", keyName(u.key))
	}
	return u, job.Wrap(u.readMeta(parts[2], parts[3]), "work unit", keyName(u.key))
}

func checkKey(key string) error {
	if len(key) > job.MaxKey {
		return job.Errorf(job.Invalid, "a work unit's key of %d bytes; at most %d", len(key), job.MaxKey)
	}
	return nil
}

func (u *item) readData(v cborrpc.Value) (err error) {
	if v.IsNull() {
		u.data = cborrpc.Null
		return nil
	}
	if len(v) > job.MaxData {
		return job.Errorf(job.Invalid, "data of %d bytes; at most %d", len(v), job.MaxData)
	}
	u.data, err = document(v, "data")
	return err
}

// readMeta reads what may follow the data; either may be nil or null.
func (u *item) readMeta(meta, priority cborrpc.Value) error {
	if !isNull(meta) {
		if !meta.IsMap() {
			return job.Errorf(job.Invalid, "meta: it must be a dictionary")
		}
		r := reader{v: meta}
		if d := r.number("delay"); d != nil {
			u.delay = max(0, duration(*d))
		}
		if r.err != nil {
			return r.err
		}
		if isNull(priority) {
			priority = meta.Get("priority")
		}
	}
	if isNull(priority) {
		return nil
	}
	f, ok := priority.Number()
	if !ok || math.IsNaN(f) || math.IsInf(f, 0) {
		return coordinate.ErrBadPriority
	}
	u.priority = f
	return nil
}

// keyName is how messages name a unit.
func keyName(key string) string { return fmt.Sprintf("%.80q", key) }
