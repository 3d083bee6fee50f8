package backend

import (
	"github.com/muster-queue/muster/coordinate/cborrpc"
	"github.com/muster-queue/muster/job"
)

// kinds are what the settings in a work spec have to be, and how that is known.
var kinds = []struct {
	is   string
	read func(cborrpc.Value) bool
	keys []string
}{
	{"a number", func(v cborrpc.Value) bool {
		_, ok := readNumber(v)
		return ok
	}, []string{"priority", "weight", "nice", "interval", "max_running", "max_getwork", "max_retries", "min_gb"}},
	{"true or false", func(v cborrpc.Value) bool {
		_, ok := v.Bool()
		return ok
	}, []string{"disabled", "continuous"}},
	{"a text", func(v cborrpc.Value) bool {
		_, ok := v.Str()
		return ok
	}, []string{"then", "runtime"}},
}

// CheckSpec refuses a definition with a setting that is not what it has to be, and
// that SetDefinition would ignore, as Coordinate's clients expect of it: a person
// who wrote a file wants to know. The error is Invalid and names the setting.
func CheckSpec(definition []byte) error {
	spec, err := cborrpc.Parse(definition)
	if err != nil {
		return job.Wrap(err, "read", "the work spec")
	}
	for _, k := range kinds {
		for _, key := range k.keys {
			if v := spec.Get(key); v != nil && !v.IsNull() && !k.read(v) {
				return job.Errorf(job.Invalid, "%s: %.60s; it has to be %s", key, v.Text(60), k.is)
			}
		}
	}
	return nil
}
