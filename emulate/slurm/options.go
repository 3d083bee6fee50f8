package slurm

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/muster-queue/muster/emulate"
	"github.com/muster-queue/muster/emulate/option"
	"github.com/muster-queue/muster/job"
)

// heldFor is how long a held job waits when nobody releases it.
const heldFor = 5 * 365 * 24 * time.Hour

const oneMachine = "a job of muster runs on one machine"

// sbatchOptions are the options of sbatch and of #SBATCH lines.
var sbatchOptions = slices.Concat(sbatchActed, sbatchOthers)

func text(field func(*sbatch) *string) func(*sbatch, string) error {
	return func(r *sbatch, v string) error {
		*field(r) = v
		return nil
	}
}

func parsed[T any](field func(*sbatch) *T, parse func(string) (T, error)) func(*sbatch, string) error {
	return func(r *sbatch, v string) (err error) {
		*field(r), err = parse(v)
		return err
	}
}

func told(field func(*sbatch) *bool) func(*sbatch, string) error {
	return func(r *sbatch, _ string) error {
		*field(r) = true
		return nil
	}
}

// sbatchActed are acted on.
var sbatchActed = option.Set[sbatch]{
	{Name: "account", Short: "A", Arg: option.Required, Set: text(func(r *sbatch) *string { return &r.account })},
	{Name: "array", Short: "a", Arg: option.Required, Set: func(r *sbatch, v string) (err error) {
		r.array, err = emulate.ParseArray(v, 0)
		return err
	}},
	{Name: "begin", Short: "b", Arg: option.Required, Set: func(r *sbatch, v string) (err error) {
		r.begin, err = parseMoment(v, r.now)
		return err
	}},
	{Name: "chdir", Short: "D", Arg: option.Required, Set: text(func(r *sbatch) *string { return &r.dir })},
	{Name: "comment", Arg: option.Required, Set: text(func(r *sbatch) *string { return &r.comment })},
	{Name: "constraint", Short: "C", Arg: option.Required, Set: (*sbatch).features},
	{Name: "cpus-per-task", Short: "c", Arg: option.Required, Set: parsed(func(r *sbatch) *int64 { return &r.cpus }, positive)},
	{Name: "dependency", Short: "d", Arg: option.Required, Set: text(func(r *sbatch) *string { return &r.depend })},
	{Name: "error", Short: "e", Arg: option.Required, Set: text(func(r *sbatch) *string { return &r.errors })},
	{Name: "export", Arg: option.Required, Set: (*sbatch).exports},
	{Name: "gpus", Short: "G", Arg: option.Required, Set: (*sbatch).addGPUs},
	{Name: "gres", Arg: option.Required, Set: (*sbatch).generic},
	{Name: "help", Short: "h", Set: told(func(r *sbatch) *bool { return &r.call.Help })},
	{Name: "hold", Short: "H", Set: func(r *sbatch, _ string) error {
		r.begin = r.now.Add(heldFor)
		return nil
	}},
	{Name: "input", Short: "i", Arg: option.Required, Set: text(func(r *sbatch) *string { return &r.input })},
	{Name: "job-name", Short: "J", Arg: option.Required, Set: text(func(r *sbatch) *string { return &r.name })},
	{Name: "mem", Arg: option.Required, Set: func(r *sbatch, v string) (err error) {
		if r.memory, err = parseSize(v); err == nil && r.memory == 0 {
			err = errors.New("all memory of a machine cannot be asked for; say how much")
		}
		return err
	}},
	{Name: "mem-per-cpu", Arg: option.Required, Set: parsed(func(r *sbatch) *int64 { return &r.perCPU }, parseSize)},
	{Name: "mem-per-gpu", Arg: option.Required, Set: parsed(func(r *sbatch) *int64 { return &r.perGPU }, parseSize)},
	{Name: "nice", Arg: option.Optional, Set: (*sbatch).nice},
	{Name: "nodelist", Short: "w", Arg: option.Required, Set: (*sbatch).node},
	{Name: "nodes", Short: "N", Arg: option.Required, Set: (*sbatch).machines},
	{Name: "ntasks", Short: "n", Arg: option.Required, Set: parsed(func(r *sbatch) *int64 { return &r.tasks }, positive)},
	{Name: "ntasks-per-node", Arg: option.Required, Set: parsed(func(r *sbatch) *int64 { return &r.perNode }, positive)},
	{Name: "open-mode", Arg: option.Required, Set: (*sbatch).mode},
	{Name: "output", Short: "o", Arg: option.Required, Set: text(func(r *sbatch) *string { return &r.output })},
	{Name: "parsable", Set: told(func(r *sbatch) *bool { return &r.call.Parsable })},
	{Name: "partition", Short: "p", Arg: option.Required, Set: (*sbatch).queue},
	{Name: "priority", Arg: option.Required, Set: (*sbatch).prior},
	{Name: "quiet", Short: "Q", Set: told(func(r *sbatch) *bool { return &r.call.Quiet })},
	{Name: "test-only", Set: told(func(r *sbatch) *bool { return &r.call.TestOnly })},
	{Name: "time", Short: "t", Arg: option.Required, Set: parsed(func(r *sbatch) *time.Duration { return &r.time }, parseTime)},
	{Name: "usage", Set: told(func(r *sbatch) *bool { return &r.call.Help })},
	{Name: "version", Short: "V", Set: told(func(r *sbatch) *bool { return &r.call.Version })},
	{Name: "wait", Short: "W", Set: told(func(r *sbatch) *bool { return &r.sync })},
	{Name: "wrap", Arg: option.Required, Set: func(r *sbatch, v string) error {
		r.call.wrap = &v
		return nil
	}},
}

// sbatchOthers have no effect here, or are refused.
var sbatchOthers = option.Set[sbatch]{
	// Lost work is always done again, and never while the first try may still run.
	{Name: "requeue"}, {Name: "no-requeue"},
	// A job is told of its end by SIGTERM.
	{Name: "signal", Arg: option.Required},
	{Name: "mail-type", Arg: option.Required}, {Name: "mail-user", Arg: option.Required},
	{Name: "qos", Short: "q", Arg: option.Required},
	{Name: "verbose", Short: "v"}, {Name: "oversubscribe", Short: "s"}, {Name: "share"},
	{Name: "get-user-env", Arg: option.Optional}, {Name: "propagate", Arg: option.Optional},
	{Name: "kill-on-invalid-dep", Arg: option.Required}, {Name: "no-kill", Short: "k", Arg: option.Optional},
	{Name: "profile", Arg: option.Required}, {Name: "acctg-freq", Arg: option.Required},
	{Name: "hint", Arg: option.Required}, {Name: "threads-per-core", Arg: option.Required},
	{Name: "distribution", Short: "m", Arg: option.Required}, {Name: "spread-job"},
	{Name: "tmp", Arg: option.Required}, {Name: "wckey", Arg: option.Required}, {Name: "deadline", Arg: option.Required},
	{Name: "time-min", Arg: option.Required}, {Name: "ntasks-per-core", Arg: option.Required},
	{Name: "ntasks-per-socket", Arg: option.Required}, {Name: "wait-all-nodes", Arg: option.Required},
	{Name: "ntasks-per-gpu", Arg: option.Required}, {Name: "cpus-per-gpu", Arg: option.Required, Set: func(r *sbatch, v string) (err error) {
		r.cpus, err = positive(v)
		return err
	}},
	{Name: "gpus-per-node", Arg: option.Required, Set: (*sbatch).addGPUs}, {Name: "gpus-per-task", Arg: option.Required, Set: (*sbatch).addGPUs},

	{Name: "exclusive", Arg: option.Optional, Refuse: "a whole machine cannot be asked for; ask for its cores and memory"},
	{Name: "exclude", Short: "x", Arg: option.Required, Refuse: "machines cannot be left out; drain them (muster worker drain)"},
	{Name: "clusters", Short: "M", Arg: option.Required, Refuse: "there is one cluster here"},
	{Name: "reservation", Arg: option.Required, Refuse: "there are no reservations here"},
	{Name: "licenses", Short: "L", Arg: option.Required, Refuse: "ask for a limit of that name: muster limit"},
	{Name: "use-min-nodes", Refuse: oneMachine},
	{Name: "gid", Arg: option.Required, Refuse: "a job runs as its agent, or as muster add --user says"},
	{Name: "uid", Arg: option.Required, Refuse: "a job runs as its agent, or as muster add --user says"},
	{Name: "bb", Arg: option.Required, Refuse: "there are no burst buffers here"},
	{Name: "container", Arg: option.Required, Refuse: "OCI bundles are not run; muster add --with-docker runs images"},
	{Name: "batch", Arg: option.Required, Refuse: oneMachine},
	{Name: "export-file", Arg: option.Required, Refuse: "variables cannot be read from a file; use --export"},
	{Name: "ignore-pbs", Refuse: "#PBS lines are not read"},
}

func positive(v string) (int64, error) {
	n, err := count(v)
	if err == nil && n == 0 {
		err = job.Errorf(job.Invalid, "%q: at least 1", v)
	}
	return n, err
}

func (r *sbatch) queue(v string) error {
	if strings.Contains(v, ",") {
		return errors.New("several partitions cannot be asked for; name one")
	}
	r.partition = v
	return nil
}

// features makes labels of what is asked of a node.
func (r *sbatch) features(v string) error {
	if v == "" {
		return nil
	}
	if strings.ContainsAny(v, "|[]()*") {
		return errors.New("features are all needed (A&B); alternatives and counts cannot be asked for")
	}
	for f := range strings.SplitSeq(strings.ReplaceAll(v, ",", "&"), "&") {
		if !strings.Contains(f, ":") {
			f = "feature:" + f
		}
		r.labels = append(r.labels, f)
	}
	return nil
}

func (r *sbatch) node(v string) error {
	if strings.ContainsAny(v, ",[") {
		return errors.New(oneMachine + "; name one")
	}
	r.labels = append(r.labels, "host:"+v)
	return nil
}

func (r *sbatch) machines(v string) (err error) {
	least, most, ranged := strings.Cut(v, "-")
	if r.nodes, err = positive(least); err == nil && ranged {
		_, err = positive(most)
	}
	return err
}

func (r *sbatch) exports(v string) error {
	r.export = emulate.Export{}
	for word := range strings.SplitSeq(v, ",") {
		switch name, _, set := strings.Cut(word, "="); {
		case word == "ALL":
			r.export.All = true
		case word == "NONE", word == "NIL", word == "":
		case set && name != "":
			r.export.Set = append(r.export.Set, word)
		default:
			r.export.Names = append(r.export.Names, word)
		}
	}
	return nil
}

// addGPUs reads "2" or "a100:2".
func (r *sbatch) addGPUs(v string) error {
	kind, n, typed := strings.Cut(v, ":")
	if !typed {
		n, kind = kind, ""
	}
	if kind != "" {
		r.labels = append(r.labels, "gpu:"+kind)
	}
	amount, err := count(n)
	r.gpus = amount
	return err
}

// generic reads "gpu:2", "gpu:a100:2", "name:3", several with commas.
func (r *sbatch) generic(v string) error {
	for one := range strings.SplitSeq(v, ",") {
		name, rest, counted := strings.Cut(one, ":")
		name = strings.TrimPrefix(name, "gres/")
		switch {
		case name == "none" || name == "":
		case name == "gpu" && counted:
			if err := r.addGPUs(typedCount(rest)); err != nil {
				return err
			}
		case name == "gpu":
			r.gpus = 1
		default:
			n, err := count(orElse(rest, "1"))
			if err != nil {
				return err
			}
			if r.needs == nil {
				r.needs = job.Resources{}
			}
			r.needs[name] = n * job.Thousandth
		}
	}
	return nil
}

// typedCount adds the count that is left out after a type.
func typedCount(s string) string {
	if _, err := count(s); err != nil && !strings.Contains(s, ":") {
		return s + ":1"
	}
	return s
}

func (r *sbatch) mode(v string) error {
	switch v {
	case "a", "append":
		r.append = true
	case "t", "truncate":
		r.append = false
	default:
		return job.Errorf(job.Invalid, "%q is neither append nor truncate", v)
	}
	return nil
}

func (r *sbatch) nice(v string) error {
	negative := strings.HasPrefix(v, "-")
	n, err := count(orElse(strings.TrimPrefix(v, "-"), "100"))
	if r.priority = -float64(n); negative {
		r.priority = float64(n)
	}
	return err
}

func (r *sbatch) prior(v string) error {
	if v == "TOP" {
		return errors.New("say how much: a number")
	}
	n, err := count(v)
	r.priority = float64(n)
	return err
}
