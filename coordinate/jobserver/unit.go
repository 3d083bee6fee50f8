package jobserver

import (
	"math"
	"slices"

	"github.com/muster-queue/muster/coordinate/cborrpc"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// AddWorkUnits adds work units, or replaces those that are there. Each is a key,
// or a list (or PythonTuple) of key, data, meta, priority. If one is not right,
// none is added.
func (jobs *JobServer) AddWorkUnits(workSpecName string, workUnitKvp []any) (bool, string, error) {
	c, err := jobs.begin()
	if err != nil {
		return false, "", err
	}
	v, err := encode(workUnitKvp)
	if err == nil {
		err = c.addWorkUnits(workSpecName, v)
	}
	return pair(err)
}

func (c call) addWorkUnits(spec string, units cborrpc.Value) error {
	if !units.IsList() {
		return job.Errorf(job.Invalid, "add_work_units %s: the work units must be a list", spec)
	}
	// All are read before any is added. What is read is kept if that is one batch.
	a := adding{call: c, spec: spec, left: units.Len()}
	checked := make([]item, 0, min(a.left, batchUnits))
	for v := range units.Items() {
		u, err := readItem(v)
		if err != nil {
			return job.Wrap(err, "add_work_units", spec)
		}
		if a.left <= batchUnits {
			checked = append(checked, u)
		}
	}
	if _, err := c.spec(spec); err != nil {
		return err
	}
	for i := range checked {
		if err := a.add(&checked[i]); err != nil {
			return err
		}
	}
	if len(checked) > 0 {
		return a.flush()
	}
	for v := range units.Items() {
		u, err := readItem(v)
		if err == nil {
			err = a.add(&u)
		}
		if err != nil {
			return err
		}
	}
	return a.flush()
}

// adding sends units on in batches.
type adding struct {
	call
	spec  string
	units []job.Job
	bytes int
	left  int // to come
}

// The most of one batch.
const (
	batchUnits = 5000
	batchBytes = 8 << 20
)

// add takes one more unit, which has been checked.
func (a *adding) add(u *item) error {
	j := job.Job{Queue: a.spec, Key: job.Key(u.key), Data: u.data, Priority: u.priority}
	if u.delay > 0 {
		now, err := a.Now(a.ctx)
		if err != nil {
			return err
		}
		j.NotBefore = now.Add(u.delay)
	}
	if a.units == nil {
		a.units = make([]job.Job, 0, min(a.left, batchUnits))
	}
	a.units, a.bytes, a.left = append(a.units, j), a.bytes+len(u.data), a.left-1
	if len(a.units) == batchUnits || a.bytes > batchBytes {
		return a.flush()
	}
	return nil
}

// flush adds what there is.
func (a *adding) flush() error {
	if len(a.units) == 0 {
		return nil
	}
	batch := make([]*job.Job, len(a.units))
	for i := range a.units {
		batch[i] = &a.units[i]
	}
	_, err := a.Add(a.ctx, engine.AddRequest{Jobs: batch, Existing: job.ExistingReplace, Wait: true, Defined: true})
	a.units, a.bytes = nil, 0
	return noSpec(err, a.spec)
}

// CountWorkUnits counts work units by their state; a state without any is left
// out.
func (jobs *JobServer) CountWorkUnits(workSpecName string) (map[WorkUnitStatus]int, string, error) {
	c, err := jobs.begin()
	if err != nil {
		return nil, "", err
	}
	counts, err := c.countWorkUnits(workSpecName)
	text, err := message(err)
	return counts, text, err
}

func (c call) countWorkUnits(spec string) (map[WorkUnitStatus]int, error) {
	q, err := c.spec(spec)
	if err != nil {
		return nil, err
	}
	counts := map[WorkUnitStatus]int{}
	for s, n := range q.Counts {
		if status := statuses[s]; status != 0 && n > 0 {
			counts[status] += int(n)
		}
	}
	return counts, nil
}

// GetWorkUnits lists work units in the order of their keys, each a PythonTuple of
// key and data.
func (jobs *JobServer) GetWorkUnits(workSpecName string, options map[string]any) ([]any, string, error) {
	c, err := jobs.begin()
	if err != nil {
		return nil, "", err
	}
	v, err := encode(options)
	if err != nil {
		return nil, "", err
	}
	units, err := c.getWorkUnits(workSpecName, v)
	if err != nil {
		text, err := message(err)
		return nil, text, err
	}
	list := []any{}
	for _, u := range units {
		data, err := unitData(u).Map()
		if err != nil {
			return nil, "", err
		}
		list = append(list, cborrpc.PythonTuple{Items: []any{[]byte(u.Key), data}})
	}
	return list, "", nil
}

func (c call) getWorkUnits(spec string, v cborrpc.Value) ([]*engine.Unit, error) {
	var o GetWorkUnitsOptions
	if err := o.read(v); err != nil {
		return nil, job.Wrap(err, "get_work_units", spec)
	}
	if _, err := c.spec(spec); err != nil {
		return nil, err
	}
	if o.WorkUnitKeys != nil {
		units, err := c.unitsByKey(spec, o.WorkUnitKeys, false)
		return slices.DeleteFunc(units, func(u *engine.Unit) bool { return u == nil }), err
	}
	r := engine.UnitsRequest{Queue: spec}
	if o.State != nil {
		r.States = statesOf(o.State)
	}
	if o.Start != nil {
		start := job.Key(*o.Start)
		r.After = &start
	}
	return c.pageUnits(r, o.Limit)
}

// unitsByKey are the units of these keys, nil where there is none.
func (c call) unitsByKey(spec string, keys []string, brief bool) (all []*engine.Unit, err error) {
	for part := range slices.Chunk(keys, engine.MaxUnits) {
		r := engine.UnitsRequest{Queue: spec, Keys: make([]job.Key, len(part)), Brief: brief}
		for i, key := range part {
			r.Keys[i] = job.Key(key)
		}
		units, err := c.Units(c.ctx, r)
		if err != nil {
			return nil, noSpec(err, spec)
		}
		all = append(all, units...)
		if err := bounded(units); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// pageUnits are at most limit units in the order of keys.
func (c call) pageUnits(r engine.UnitsRequest, limit int) (all []*engine.Unit, err error) {
	for {
		r.Limit = min(limit-len(all), unitsPage)
		page, err := c.Units(c.ctx, r)
		if err != nil {
			return nil, noSpec(err, r.Queue)
		}
		all = append(all, page...)
		if len(page) < r.Limit || len(all) == limit {
			return all, nil
		}
		if err := bounded(all); err != nil {
			return nil, err
		}
		r.After = &page[len(page)-1].Key
	}
}

// unitsPage is how many units are read at a time.
const unitsPage = 1000

// bounded refuses an answer that would become too long, before all of it has been
// read.
func bounded(units []*engine.Unit) error {
	size := 0
	for _, u := range units {
		if u != nil {
			size += len(u.Data())
		}
	}
	if size > cborrpc.MaxMessage {
		return job.Errorf(job.Exhausted, "the work units asked for take more than %d bytes; ask for fewer at once", cborrpc.MaxMessage)
	}
	return nil
}

// unitData is what clients see of a unit.
func unitData(u *engine.Unit) cborrpc.Value { return outData(u.Data()) }

// outData is stored data as clients get it. Data that was added from elsewhere and
// is not what clients can read is shown as bytes.
func outData(data []byte) cborrpc.Value {
	if len(data) == 0 {
		return cborrpc.Null
	}
	v, err := cborrpc.Parse(data)
	if err == nil && len(v) == len(data) && (v.IsMap() || v.IsNull()) {
		if v, err = v.Clean(); err == nil {
			return v
		}
	}
	b := cborrpc.AppendString(cborrpc.AppendMap(nil, 1), "data")
	return cborrpc.AppendBytes(b, data)
}

// GetWorkUnitStatus tells the state of work units, in the order of their keys; nil
// for one that is not there.
func (jobs *JobServer) GetWorkUnitStatus(workSpecName string, workUnitKeys []string) ([]map[string]any, string, error) {
	c, err := jobs.begin()
	if err != nil {
		return nil, "", err
	}
	all, err := c.getWorkUnitStatus(workSpecName, workUnitKeys)
	text, err := message(err)
	return all, text, err
}

func (c call) getWorkUnitStatus(spec string, keys []string) ([]map[string]any, error) {
	if _, err := c.spec(spec); err != nil {
		return nil, err
	}
	units, err := c.unitsByKey(spec, keys, true)
	if err != nil {
		return nil, err
	}
	var failed []string
	for _, u := range units {
		if u != nil && u.State == job.Buried {
			failed = append(failed, string(u.Key))
		}
	}
	tracebacks := map[job.Key]cborrpc.Value{}
	withData, err := c.unitsByKey(spec, failed, false)
	for _, u := range withData {
		if u != nil {
			tracebacks[u.Key] = unitData(u).Get("traceback")
		}
	}
	all := make([]map[string]any, len(units))
	for i, u := range units {
		if u != nil {
			all[i] = unitStatus(u, tracebacks[u.Key])
		}
	}
	return all, err
}

func unitStatus(u *engine.Unit, traceback cborrpc.Value) map[string]any {
	status := statuses[u.State]
	m := map[string]any{"status": status}
	if status == Available || u.Attempt == nil {
		return m
	}
	m["worker_id"] = u.Attempt.Worker
	if status == Pending {
		m["expiration"] = u.Attempt.Deadline.Unix()
	}
	if status == Failed && traceback != nil {
		m["traceback"] = traceback
	}
	return m
}

// PrioritizeWorkUnits sets or adjusts the priority of work units.
func (jobs *JobServer) PrioritizeWorkUnits(workSpecName string, options map[string]any) (bool, string, error) {
	c, err := jobs.begin()
	if err != nil {
		return false, "", err
	}
	v, err := encode(options)
	if err == nil {
		err = c.prioritizeWorkUnits(workSpecName, v)
	}
	return pair(err)
}

func (c call) prioritizeWorkUnits(spec string, v cborrpc.Value) error {
	var o PrioritizeWorkUnitsOptions
	if err := o.read(v); err != nil {
		return job.Wrap(err, "prioritize_work_units", spec)
	}
	if _, err := c.spec(spec); err != nil {
		return err
	}
	if o.WorkUnitKeys == nil {
		return notice("missing work_unit_keys")
	}
	var set *float64
	adjust := 0.0
	switch {
	case !math.IsNaN(o.Priority):
		set = &o.Priority
	case !math.IsNaN(o.Adjustment):
		adjust = o.Adjustment
	default:
		return nil
	}
	for part := range slices.Chunk(o.WorkUnitKeys, engine.MaxUnits) {
		if err := c.PrioritiseUnits(c.ctx, engine.UnitsSelector{Queue: spec, Keys: jobKeys(part)}, set, adjust); err != nil {
			return noSpec(err, spec)
		}
	}
	return nil
}

func jobKeys(keys []string) []job.Key {
	all := make([]job.Key, len(keys))
	for i, key := range keys {
		all[i] = job.Key(key)
	}
	return all
}

// DelWorkUnits deletes work units, and tells how many. Without any option nothing
// is deleted.
func (jobs *JobServer) DelWorkUnits(workSpecName string, options map[string]any) (int, string, error) {
	c, err := jobs.begin()
	if err != nil {
		return 0, "", err
	}
	v, err := encode(options)
	if err != nil {
		return 0, "", err
	}
	n, err := c.delWorkUnits(workSpecName, v)
	text, err := message(err)
	return int(n), text, err
}

func (c call) delWorkUnits(spec string, v cborrpc.Value) (deleted int64, err error) {
	var o DelWorkUnitsOptions
	if err := o.read(v); err != nil {
		return 0, job.Wrap(err, "del_work_units", spec)
	}
	if _, err := c.spec(spec); err != nil {
		return 0, err
	}
	s := engine.UnitsSelector{Queue: spec, All: o.All}
	if o.State != nil && !o.All {
		s.States = statesOf([]WorkUnitStatus{*o.State})
	}
	if o.All || o.WorkUnitKeys == nil {
		if !o.All && o.State == nil {
			return 0, notice("nothing says which work units to delete")
		}
		deleted, err = c.DeleteUnits(c.ctx, s)
		return deleted, noSpec(err, spec)
	}
	for part := range slices.Chunk(o.WorkUnitKeys, engine.MaxUnits) {
		s.Keys = jobKeys(part)
		n, err := c.DeleteUnits(c.ctx, s)
		if deleted += n; err != nil {
			return deleted, noSpec(err, spec)
		}
	}
	return deleted, nil
}
