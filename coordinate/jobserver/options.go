package jobserver

import (
	"math"
	"time"

	"github.com/muster-queue/muster/coordinate/cborrpc"
	"github.com/muster-queue/muster/job"
)

// The bounds of what options ask for.
const (
	DefaultLease = 300 * time.Second
	MinLease     = time.Second
	MaxLease     = 24 * time.Hour

	defaultLimit = 1000
	maxGetWork   = 1000
)

// ControlWorkSpecOptions are the options of ControlWorkSpec. What is nil stays as
// it is.
type ControlWorkSpecOptions struct {
	Status     *WorkSpecStatus `mapstructure:"status"`
	Continuous *bool           `mapstructure:"continuous"`
	Weight     *int            `mapstructure:"weight"`
	Interval   *float64        `mapstructure:"interval"` // seconds
	MaxRunning *int            `mapstructure:"max_running"`
}

// ListWorkSpecsOptions are the options of ListWorkSpecs.
type ListWorkSpecsOptions struct {
	// Start is the first name that is listed, or would be.
	Start string `mapstructure:"start"`
	Limit int    `mapstructure:"limit"` // default 1000
}

// GetWorkUnitsOptions are the options of GetWorkUnits.
type GetWorkUnitsOptions struct {
	// WorkUnitKeys, if not nil, asks for exactly these, whatever else is given.
	WorkUnitKeys []string `mapstructure:"work_unit_keys"`
	// State, if not nil, are the states wanted.
	State []WorkUnitStatus `mapstructure:"state"`
	// Start leaves out this key and smaller ones; the empty one leaves out nothing
	// when it is not given.
	Start *string `mapstructure:"start"`
	Limit int     `mapstructure:"limit"` // default 1000
}

// PrioritizeWorkUnitsOptions are the options of PrioritizeWorkUnits.
type PrioritizeWorkUnitsOptions struct {
	WorkUnitKeys []string `mapstructure:"work_unit_keys"`
	// Priority and Adjustment are NaN when they are not given.
	Priority   float64 `mapstructure:"priority"`
	Adjustment float64 `mapstructure:"adjustment"`
}

// DelWorkUnitsOptions are the options of DelWorkUnits.
type DelWorkUnitsOptions struct {
	All          bool            `mapstructure:"all"`
	WorkUnitKeys []string        `mapstructure:"work_unit_keys"`
	State        *WorkUnitStatus `mapstructure:"state"`
}

// UpdateWorkUnitOptions are the options of UpdateWorkUnit.
type UpdateWorkUnitOptions struct {
	// LeaseTime is in seconds; see LeaseDuration.
	LeaseTime float64 `mapstructure:"lease_time"`
	// Status is the state wanted; zero keeps it.
	Status WorkUnitStatus `mapstructure:"status"`
	// Data replaces the work unit's data, unless it is nil.
	Data map[string]any `mapstructure:"data"`
	// WorkerID is who gets the attempt, if one has to be made.
	WorkerID string `mapstructure:"worker_id"`

	data cborrpc.Value // Data as it came
}

// LeaseDuration is how long the lease lasts from now: 300 s when none was given
// or one beyond a day; a negative one ends at once.
func (o *UpdateWorkUnitOptions) LeaseDuration() time.Duration {
	if o.LeaseTime == 0 || o.LeaseTime > MaxLease.Seconds() {
		return DefaultLease
	}
	return duration(max(o.LeaseTime, -1))
}

// GetWorkOptions are the options of GetWork.
type GetWorkOptions struct {
	MaxJobs int `mapstructure:"max_jobs"` // default 1
	// LeaseTime is in seconds; see LeaseDuration.
	LeaseTime     float64  `mapstructure:"lease_time"`
	WorkSpecNames []string `mapstructure:"work_spec_names"`
	// AvailableGb, if positive, leaves out work specs that need more memory.
	AvailableGb float64 `mapstructure:"available_gb"`
}

// LeaseDuration is how long the lease lasts: 300 s when none was given, or one
// shorter than a second or longer than a day.
func (o *GetWorkOptions) LeaseDuration() time.Duration {
	if o.LeaseTime < MinLease.Seconds() || o.LeaseTime > MaxLease.Seconds() {
		return DefaultLease
	}
	return duration(o.LeaseTime)
}

// ArchiveOptions are the options of Archive.
type ArchiveOptions struct {
	// WorkSpecNames restricts it to these; empty means all.
	WorkSpecNames []string `mapstructure:"work_spec_names"`
}

func (o *ControlWorkSpecOptions) read(v cborrpc.Value) error {
	r := reader{v: v}
	if n := r.number("status"); n != nil {
		status := WorkSpecStatus(whole(*n))
		o.Status = &status
	}
	o.Continuous = r.bool("continuous")
	o.Interval = r.number("interval")
	o.Weight, o.MaxRunning = r.intPointer("weight"), r.intPointer("max_running")
	return r.err
}

func (o *ListWorkSpecsOptions) read(v cborrpc.Value) error {
	r := reader{v: v}
	o.Start, o.Limit = r.string("start"), r.int("limit", defaultLimit)
	return r.err
}

func (o *GetWorkUnitsOptions) read(v cborrpc.Value) error {
	r := reader{v: v}
	o.WorkUnitKeys = r.strings("work_unit_keys")
	if state := r.get("state"); state != nil {
		o.State = r.statuses(state)
	}
	if r.get("start") != nil {
		start := r.string("start")
		o.Start = &start
	}
	if o.Limit = r.int("limit", defaultLimit); o.Limit <= 0 {
		o.Limit = defaultLimit
	}
	return r.err
}

func (o *PrioritizeWorkUnitsOptions) read(v cborrpc.Value) error {
	r := reader{v: v, nan: true}
	o.WorkUnitKeys = r.strings("work_unit_keys")
	o.Priority, o.Adjustment = math.NaN(), math.NaN()
	if n := r.number("priority"); n != nil {
		o.Priority = *n
	}
	if n := r.number("adjustment"); n != nil {
		o.Adjustment = *n
	}
	return r.err
}

func (o *DelWorkUnitsOptions) read(v cborrpc.Value) error {
	r := reader{v: v}
	if all := r.bool("all"); all != nil {
		o.All = *all
	}
	o.WorkUnitKeys = r.strings("work_unit_keys")
	if n := r.number("state"); n != nil {
		status := WorkUnitStatus(whole(*n))
		o.State = &status
	}
	return r.err
}

func (o *UpdateWorkUnitOptions) read(v cborrpc.Value) error {
	r := reader{v: v}
	if n := r.number("lease_time"); n != nil {
		o.LeaseTime = *n
	}
	if n := r.number("status"); n != nil {
		o.Status = WorkUnitStatus(whole(*n))
		if states[o.Status] == nil {
			r.fail("status", "1, 3, 4 or 5")
		}
	}
	o.WorkerID = r.string("worker_id")
	if o.data = r.get("data"); o.data != nil && r.err == nil {
		o.data, r.err = document(o.data, "data")
	}
	return r.err
}

func (o *GetWorkOptions) read(v cborrpc.Value) error {
	r := reader{v: v}
	o.MaxJobs = max(1, r.int("max_jobs", 1))
	if n := r.number("lease_time"); n != nil {
		o.LeaseTime = *n
	}
	o.WorkSpecNames = r.strings("work_spec_names")
	if n := r.number("available_gb"); n != nil {
		o.AvailableGb = *n
	}
	return r.err
}

func (o *ArchiveOptions) read(v cborrpc.Value) error {
	r := reader{v: v}
	o.WorkSpecNames = r.strings("work_spec_names")
	return r.err
}

// reader reads options from a dictionary. A key that is not there and one whose
// value is null are the same. The first thing wrong is kept in err.
type reader struct {
	v   cborrpc.Value
	nan bool // what is not a number counts as not given
	err error
}

func (r *reader) get(key string) cborrpc.Value {
	if r.err == nil && !isNull(r.v) && !r.v.IsMap() {
		r.err = job.Errorf(job.Invalid, "the options must be a dictionary")
	}
	if r.err != nil {
		return nil
	}
	return r.v.Get(key)
}

func isNull(v cborrpc.Value) bool { return len(v) == 0 || v.IsNull() }

func (r *reader) fail(key, want string) {
	if r.err == nil {
		r.err = job.Errorf(job.Invalid, "option %s: it must be %s", key, want)
	}
}

func (r *reader) number(key string) *float64 {
	v := r.get(key)
	if v == nil {
		return nil
	}
	f, ok := v.Number()
	switch {
	case ok && !math.IsNaN(f):
		return &f
	case !ok || !r.nan:
		r.fail(key, "a number")
	}
	return nil
}

func (r *reader) int(key string, otherwise int) int {
	if n := r.number(key); n != nil {
		return whole(*n)
	}
	return otherwise
}

func (r *reader) intPointer(key string) *int {
	n := r.number(key)
	if n == nil {
		return nil
	}
	i := whole(*n)
	return &i
}

func (r *reader) bool(key string) *bool {
	v := r.get(key)
	if v == nil {
		return nil
	}
	b, ok := v.Bool()
	if !ok {
		r.fail(key, "true or false")
	}
	return &b
}

func (r *reader) string(key string) string {
	v := r.get(key)
	if v == nil {
		return ""
	}
	s, ok := v.Str()
	if !ok {
		r.fail(key, "a string")
	}
	return s
}

// strings is nil only if nothing was given.
func (r *reader) strings(key string) []string {
	v := r.get(key)
	if v == nil {
		return nil
	}
	if !v.IsList() {
		r.fail(key, "a list of strings")
		return nil
	}
	all := []string{}
	for item := range v.Items() {
		s, ok := item.Str()
		if !ok {
			r.fail(key, "a list of strings")
			return nil
		}
		all = append(all, s)
	}
	return all
}

// statuses are one integer or a list of them.
func (r *reader) statuses(v cborrpc.Value) []WorkUnitStatus {
	all := []WorkUnitStatus{}
	one := func(v cborrpc.Value) {
		n, ok := v.Int()
		if !ok {
			r.fail("state", "an integer or a list of integers")
		}
		all = append(all, WorkUnitStatus(n))
	}
	if !v.IsList() {
		one(v)
		return all
	}
	for item := range v.Items() {
		one(item)
	}
	return all
}

// whole is a number without its fraction, within 32 bits.
func whole(f float64) int { return int(max(math.MinInt32, min(math.MaxInt32, f))) }

// duration is a number of seconds, within the bounds of a duration.
func duration(seconds float64) time.Duration {
	const most = float64(job.MaxTime) / float64(time.Second)
	return time.Duration(math.Round(max(-most, min(most, seconds)) * float64(time.Second)))
}

// document checks a data dictionary that a client sent: its keys are strings, and
// all of it can be given to other clients.
func document(v cborrpc.Value, what string) (cborrpc.Value, error) {
	if !v.IsMap() {
		return nil, job.Errorf(job.Invalid, "%s: it must be a dictionary", what)
	}
	for key := range v.Entries() {
		if _, ok := key.Str(); !ok {
			return nil, job.Errorf(job.Invalid, "%s: the keys of the dictionary must be strings", what)
		}
	}
	clean, err := v.Clean()
	return clean, job.Wrap(err, what, "")
}
