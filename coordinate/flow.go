package coordinate

import (
	"fmt"
	"maps"
	"slices"

	"github.com/muster-queue/muster/job"
)

// maxFlow bounds how deep flows are nested.
const maxFlow = 64

// NewFlow makes the queues of a flow: dictionaries in dictionaries, in which one
// that has min_gb is a work spec, named by the keys that lead to it, joined by
// dots. Its config is laid over the one given. A work spec's `then` must be one
// of the same flow. The queues are in the order of their names. Errors are
// Invalid, or those of NewQueue.
func NewFlow(flows any, config map[string]any) ([]*job.Queue, error) {
	f := flow{config: config, specs: map[string]*job.Queue{}}
	outer, err := named(flows)
	if err != nil {
		return nil, err
	}
	if err := f.collect("", outer, maxFlow); err != nil {
		return nil, err
	}
	names := slices.Sorted(maps.Keys(f.specs))
	queues := make([]*job.Queue, len(names))
	for i, name := range names {
		q := f.specs[name]
		if f.specs[q.Then] == nil && q.Then != "" {
			return nil, job.Errorf(job.Invalid, "the work spec %s: its then, %q, is no work spec of this flow", name, q.Then)
		}
		queues[i] = q
	}
	return queues, nil
}

// flow collects the work specs of a flow.
type flow struct {
	config map[string]any
	specs  map[string]*job.Queue
}

// collect makes a work spec of a dictionary, or collects those in it.
func (f *flow) collect(name string, flows map[string]any, depth int) error {
	if _, ok := flows["min_gb"]; ok && name != "" {
		return f.add(name, flows)
	}
	if depth == 0 {
		return job.Errorf(job.Invalid, "the flow is nested more than %d deep", maxFlow)
	}
	for _, key := range slices.Sorted(maps.Keys(flows)) {
		inner, err := named(flows[key])
		path := key
		if name != "" {
			path = name + "." + key
		}
		if err != nil {
			return job.Errorf(job.Invalid, "the flow has at %s what is neither a work spec (a dictionary with min_gb) nor a dictionary of such: %w", path, err)
		}
		if err := f.collect(path, inner, depth-1); err != nil {
			return err
		}
	}
	return nil
}

// add makes one work spec.
func (f *flow) add(name string, given map[string]any) error {
	if f.specs[name] != nil {
		return job.Errorf(job.Invalid, "the flow has two work specs that are called %s", name)
	}
	spec := maps.Clone(given)
	spec["name"] = name
	config := any(f.config)
	if f.config == nil {
		config = map[string]any{}
	}
	if own := spec["config"]; own != nil {
		config = overlay(config, own)
	}
	spec["config"] = config
	q, err := NewQueue(spec)
	if err != nil {
		return job.Wrap(err, "read the work spec", name)
	}
	f.specs[name] = q
	return nil
}

// overlay lays one configuration over another: dictionaries are merged at every
// depth, and what is null is taken out.
func overlay(base, over any) any {
	below, err := named(base)
	above, err2 := named(over)
	if err != nil || err2 != nil {
		return over
	}
	merged := maps.Clone(below)
	for key, value := range above {
		present, there := merged[key]
		switch {
		case value == nil && present != nil:
			delete(merged, key)
		case value == nil && !there:
		case there:
			merged[key] = overlay(present, value)
		default:
			merged[key] = value
		}
	}
	return merged
}

// named is a dictionary whose keys are names, from one whose keys may be numbers,
// as they are read from YAML.
func named(v any) (map[string]any, error) {
	switch v := v.(type) {
	case map[string]any:
		return v, nil
	case map[any]any:
		m := make(map[string]any, len(v))
		for key, value := range v {
			m[fmt.Sprint(key)] = value
		}
		return m, nil
	}
	return nil, job.Errorf(job.Invalid, "%.60q is no dictionary", fmt.Sprint(v))
}
