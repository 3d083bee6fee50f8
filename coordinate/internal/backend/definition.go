package backend

import (
	"bytes"
	"context"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/muster-queue/muster/coordinate/cborrpc"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// Definition is a work spec's dictionary in the form a queue keeps it.
func Definition(spec map[string]any) ([]byte, error) {
	v, err := cborrpc.Encode(spec)
	if err != nil {
		return nil, job.Wrap(err, "encode", "the work spec")
	}
	return v, nil
}

// SetDefinition gives a queue the definition of a work spec and all settings that
// follow from it; what a definition does not speak of stays as it is. Wrong types
// in it are ignored. Errors: ErrNoWorkSpecName, ErrBadWorkSpecName, and Invalid
// for what is no dictionary, or a name or size no queue can have; the queue is
// then unchanged.
func SetDefinition(q *job.Queue, definition []byte) error {
	v, err := cborrpc.Parse(definition)
	if err != nil {
		return job.Wrap(err, "read", "the work spec")
	}
	if v, err = v.Clean(); err != nil {
		return job.Wrap(err, "read", "the work spec")
	}
	next := *q
	if err := specName(v, &next.Name); err != nil {
		return err
	}
	next.Definition, next.Order = bytes.Clone(v), job.OrderKey // the caller may use its bytes again
	readSpec(v, &next)
	if err := next.Validate(); err != nil {
		return err
	}
	*q = next
	return nil
}

// specName reads the name of a work spec.
func specName(spec cborrpc.Value, name *string) error {
	if !spec.IsMap() {
		return job.Errorf(job.Invalid, "a work spec must be a dictionary")
	}
	v := spec.Get("name")
	if v == nil {
		return ErrNoWorkSpecName
	}
	s, ok := v.Str()
	if !ok {
		return ErrBadWorkSpecName
	}
	*name = s
	return nil
}

// readSpec derives the settings.
func readSpec(spec cborrpc.Value, q *job.Queue) {
	q.Priority = specInt(spec, "priority")
	q.Weight = specWeight(spec)
	q.Paused = specBool(spec, "disabled")
	q.CanBeContinuous = specBool(spec, "continuous")
	q.Continuous = q.CanBeContinuous
	q.Interval = seconds(max(0, specNumber(spec, "interval")))
	q.MaxRunning = max(0, specInt(spec, "max_running"))
	q.MaxPerRequest = max(0, specInt(spec, "max_getwork"))
	q.MaxAttempts = max(0, specInt(spec, "max_retries"))
	q.Then = specString(spec, "then")
	q.Runtime = specString(spec, "runtime")
	q.MinMemory = Gigabytes(specNumber(spec, "min_gb"))
}

// specWeight is the weight given, else what nice takes from the default.
func specWeight(spec cborrpc.Value) int64 {
	weight := specInt(spec, "weight")
	if weight == 0 {
		weight = job.DefaultWeight - max(-math.MaxInt32, specInt(spec, "nice"))
	}
	return max(1, weight)
}

// specNumber reads a number, also one written as a decimal string; zero is what
// is absent or no number.
func specNumber(spec cborrpc.Value, key string) float64 {
	v := spec.Get(key)
	if v == nil {
		return 0
	}
	f, _ := readNumber(v)
	return f
}

// readNumber is a finite number.
func readNumber(v cborrpc.Value) (float64, bool) {
	f, ok := v.Number()
	if s, isString := v.Str(); isString {
		f, ok = decimal(s)
	}
	if !ok || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

// decimal reads a number as people write it: no hexadecimal, no names.
func decimal(s string) (float64, bool) {
	s = strings.TrimSpace(s)
	if strings.Trim(s, "0123456789+-.eE") != "" {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

// specInt is a number without its fraction.
func specInt(spec cborrpc.Value, key string) int64 {
	if v := spec.Get(key); v != nil {
		if n, ok := v.Int(); ok {
			return n
		}
	}
	f := math.Trunc(specNumber(spec, key))
	if math.Abs(f) >= 1<<63 {
		return 0
	}
	return int64(f)
}

func specBool(spec cborrpc.Value, key string) bool {
	v := spec.Get(key)
	if v == nil {
		return false
	}
	b, _ := v.Bool()
	return b
}

func specString(spec cborrpc.Value, key string) string {
	v := spec.Get(key)
	if v == nil {
		return ""
	}
	s, _ := v.Str()
	return s
}

// seconds is a number of them, at most what a duration can be of use for.
func seconds(f float64) time.Duration {
	const most = float64(job.MaxTime) / float64(time.Second)
	return time.Duration(math.Round(max(-most, min(most, f)) * float64(time.Second)))
}

// Gigabytes is a number of them in bytes; what is not positive is none.
func Gigabytes(f float64) int64 {
	const most = float64(job.MaxAmount) / (1 << 30)
	return int64(max(0, min(most, f)) * (1 << 30))
}

// Python finds a module and a function by byte strings only.
var importedBy = [...]string{"module", "run_function"}

// OutSpec is the dictionary of a definition as Python clients get it.
func OutSpec(definition []byte) cborrpc.Value {
	v := cborrpc.Value(definition)
	for _, key := range importedBy {
		v = v.WithBytes(key)
	}
	return v
}

// SetWorkSpec makes the queue of a work spec, or gives it a new definition and the
// settings that follow from it.
func SetWorkSpec(ctx context.Context, b Backend, definition []byte) (*job.Queue, error) {
	q := new(job.Queue)
	if err := SetDefinition(q, definition); err != nil {
		return nil, err
	}
	refused := false
	err := b.UpdateQueue(ctx, q.Name, func(present *job.Queue) {
		if refused = !present.Defined(); !refused {
			_ = SetDefinition(present, definition) // it has been checked
		}
	})
	switch {
	case job.IsKind(err, job.NotFound):
		err = b.SetQueue(ctx, *q)
	case refused:
		err = job.Errorf(job.Conflict, "the queue %s is there and is not a work spec; choose another name", q.Name)
	}
	return q, err
}

// EachSpec calls do with the queues that are work specs, in the order of their
// names, from the first that is not before start until do returns false.
func EachSpec(ctx context.Context, b Backend, start string, do func(engine.QueueInfo) bool) error {
	if start != "" {
		q, err := b.Queue(ctx, start)
		if err == nil && q.Defined() && !do(q) {
			return nil
		}
		if err != nil && !job.IsKind(err, job.NotFound) {
			return err
		}
	}
	for {
		page, err := b.Queues(ctx, start, specPage)
		if err != nil {
			return err
		}
		for _, q := range page {
			if q.Defined() && !do(q) {
				return nil
			}
		}
		if len(page) < specPage {
			return nil
		}
		start = page[len(page)-1].Name
	}
}

const specPage = 100
