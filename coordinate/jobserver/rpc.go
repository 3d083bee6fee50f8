package jobserver

import (
	"context"
	"math"
	"strings"

	"github.com/muster-queue/muster/coordinate"
	"github.com/muster-queue/muster/coordinate/cborrpc"
	"github.com/muster-queue/muster/job"
)

// method is one of those a client can call: the names of its parameters, how
// many of them may be left out, and what answers.
type method struct {
	params   []string
	optional int
	answer   func(r *remote, b []byte) ([]byte, error)
}

// methods is all that can be called over the wire.
var methods = map[string]method{
	"set_work_spec":         {params: words("work_spec"), answer: (*remote).setWorkSpec},
	"get_work_spec":         {params: words("work_spec_name"), answer: (*remote).getWorkSpec},
	"get_work_spec_meta":    {params: words("work_spec_name"), answer: (*remote).getWorkSpecMeta},
	"control_work_spec":     {params: words("work_spec_name options"), answer: (*remote).controlWorkSpec},
	"list_work_specs":       {params: words("options"), answer: (*remote).listWorkSpecs},
	"del_work_spec":         {params: words("work_spec_name"), answer: (*remote).delWorkSpec},
	"clear":                 {answer: (*remote).clear},
	"add_work_units":        {params: words("work_spec_name work_unit_key_vals"), answer: (*remote).addWorkUnits},
	"count_work_units":      {params: words("work_spec_name"), answer: (*remote).countWorkUnits},
	"get_work_units":        {params: words("work_spec_name options"), answer: (*remote).getWorkUnits},
	"get_work_unit_status":  {params: words("work_spec_name work_unit_keys"), answer: (*remote).getWorkUnitStatus},
	"prioritize_work_units": {params: words("work_spec_name options"), answer: (*remote).prioritizeWorkUnits},
	"del_work_units":        {params: words("work_spec_name options"), answer: (*remote).delWorkUnits},
	"update_work_unit":      {params: words("work_spec_name work_unit_key options"), answer: (*remote).updateWorkUnit},
	"get_work":              {params: words("worker_id options"), answer: (*remote).getWork},
	"worker_heartbeat":      {params: words("worker_id mode expire_seconds data parent"), answer: (*remote).workerHeartbeat},
	"worker_unregister":     {params: words("worker_id"), answer: (*remote).workerUnregister},
	"list_worker_modes":     {answer: (*remote).listWorkerModes},
	"mode_counts":           {answer: (*remote).modeCounts},
	"worker_stats":          {answer: (*remote).workerStats},
	"get_worker_info":       {params: words("worker_id"), answer: (*remote).getWorkerInfo},
	"get_child_work_units":  {params: words("worker_id"), answer: (*remote).getChildWorkUnits},
	"get_config":            {answer: (*remote).getConfig},
	"archive":               {params: words("options"), optional: 1, answer: (*remote).archive},
	"now":                   {answer: (*remote).now},
	"lock":                  {params: words("locker_id timeout keys"), answer: (*remote).lock},
	"locksome":              {params: words("locker_id timeout keys"), answer: (*remote).locksome},
	"renew":                 {params: words("locker_id timeout keys"), answer: (*remote).renew},
	"readlock":              {params: words("keys"), answer: (*remote).readlock},
	"unlock":                {params: words("locker_id keys"), answer: (*remote).unlock},
	"delete_namespace":      {params: words("prefix"), answer: (*remote).deleteNamespace},
}

func words(s string) []string { return strings.Fields(s) }

// Handler answers calls over CBOR-RPC.
func (jobs *JobServer) Handler() (cborrpc.Handler, error) {
	b, _, err := coordinate.Backend(jobs.Namespace)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, name string, params cborrpc.Value, out []byte) ([]byte, error) {
		m, ok := methods[name]
		if !ok {
			return nil, job.Errorf(job.Unimplemented, "no such method %.60q", name)
		}
		r := remote{call: call{Backend: b, ctx: ctx, jobs: jobs}, name: name, method: m}
		if err := r.read(params); err != nil {
			return nil, err
		}
		return m.answer(&r, out)
	}, nil
}

// maxParams is the most parameters a method has.
const maxParams = 5

// remote is a call that came over the wire. The first wrong parameter is kept in
// err, and is the answer.
type remote struct {
	call
	name   string
	method method
	args   [maxParams]cborrpc.Value
	err    error
}

// read takes the parameters, a list in order or a map by name.
func (r *remote) read(params cborrpc.Value) error {
	m, n := &r.method, 0
	if params.IsMap() {
		for i, name := range m.params {
			if r.args[i] = params.Get(name); r.args[i] != nil {
				n = i + 1
			}
		}
		n = max(n, len(m.params)-m.optional)
	}
	for v := range params.Items() {
		if n < maxParams {
			r.args[n] = v
		}
		n++
	}
	if n > len(m.params) || n < len(m.params)-m.optional {
		return job.Errorf(job.Invalid, "%s: wrong number of parameters: %d were given, %d are taken", r.name, n, len(m.params))
	}
	return nil
}

// value is a parameter; one that was not given is null.
func (r *remote) value(i int) cborrpc.Value {
	if len(r.args[i]) == 0 {
		return cborrpc.Null
	}
	return r.args[i]
}

func (r *remote) fail(i int, want string) {
	if r.err == nil {
		r.err = job.Errorf(job.Invalid, "%s: parameter %s must be %s", r.name, r.method.params[i], want)
	}
}

// string is a parameter that must be a string.
func (r *remote) string(i int) string {
	s, ok := r.value(i).Str()
	if !ok {
		r.fail(i, "a string")
	}
	return s
}

// optional is a parameter that may be null, which is the same as empty.
func (r *remote) optional(i int) string {
	if r.value(i).IsNull() {
		return ""
	}
	return r.string(i)
}

// strings is a parameter that must be a list of strings.
func (r *remote) strings(i int) []string {
	o := reader{v: r.value(i)}
	if !o.v.IsList() {
		r.fail(i, "a list of strings")
	}
	var all []string
	for v := range o.v.Items() {
		s, ok := v.Str()
		if !ok {
			r.fail(i, "a list of strings")
		}
		all = append(all, s)
	}
	return all
}

// number is a parameter that must be a number; null is zero.
func (r *remote) number(i int) float64 {
	if r.value(i).IsNull() {
		return 0
	}
	f, ok := r.value(i).Number()
	if !ok || math.IsNaN(f) {
		r.fail(i, "a number")
	}
	return f
}
