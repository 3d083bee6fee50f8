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

// Squeue is a call of squeue.
type Squeue struct {
	emulate.Query
	Help, Version bool

	me         bool
	noHeader   bool
	columns    []column
	partitions []string
	names      []string
	users      []string
	accounts   []string
	hosts      []string
	states     map[string]bool
	anyState   bool
	now        time.Time
}

const (
	shortFormat = "%.18i %.9P %.8j %.8u %.2t %.10M %.6D %R"
	longFormat  = "%.18i %.9P %.8j %.8u %.8T %.10M %.9l %.6D %R"
)

var squeueOptions = option.Set[Squeue]{
	{Name: "account", Short: "A", Arg: option.Required, Set: listed(func(q *Squeue) *[]string { return &q.accounts })},
	{Name: "all", Short: "a"},
	{Name: "array", Short: "r"},
	{Name: "Format", Short: "O", Arg: option.Required, Set: func(q *Squeue, v string) (err error) {
		q.columns, err = parseLong(v)
		return err
	}},
	{Name: "format", Short: "o", Arg: option.Required, Set: func(q *Squeue, v string) (err error) {
		q.columns, err = parseFormat(v)
		return err
	}},
	{Name: "help", Set: func(q *Squeue, _ string) error {
		q.Help = true
		return nil
	}},
	{Name: "jobs", Short: "j", Arg: option.Required, Set: func(q *Squeue, v string) (err error) {
		q.IDs, err = parseIDs(v)
		return err
	}},
	{Name: "long", Short: "l", Set: func(q *Squeue, _ string) (err error) {
		q.columns, err = parseFormat(longFormat)
		return err
	}},
	{Name: "me", Set: func(q *Squeue, _ string) error {
		q.me = true
		return nil
	}},
	{Name: "name", Short: "n", Arg: option.Required, Set: listed(func(q *Squeue) *[]string { return &q.names })},
	{Name: "nodelist", Short: "w", Arg: option.Required, Set: listed(func(q *Squeue) *[]string { return &q.hosts })},
	{Name: "noheader", Short: "h", Set: func(q *Squeue, _ string) error {
		q.noHeader = true
		return nil
	}},
	{Name: "partition", Short: "p", Arg: option.Required, Set: listed(func(q *Squeue) *[]string { return &q.partitions })},
	{Name: "states", Short: "t", Arg: option.Required, Set: func(q *Squeue, v string) (err error) {
		q.states, err = parseStates(v)
		q.anyState = true
		return err
	}},
	{Name: "user", Short: "u", Arg: option.Required, Set: listed(func(q *Squeue) *[]string { return &q.users })},
	{Name: "version", Short: "V", Set: func(q *Squeue, _ string) error {
		q.Version = true
		return nil
	}},
	{Name: "clusters", Short: "M", Arg: option.Required}, {Name: "federation"}, {Name: "local"}, {Name: "hide"}, {Name: "priority", Short: "P"},
	{Name: "verbose", Short: "v"}, {Name: "sort", Short: "S", Arg: option.Required}, {Name: "start"},
	{Name: "iterate", Short: "i", Arg: option.Required, Refuse: "call squeue again, or watch with muster status"},
	{Name: "steps", Short: "s", Arg: option.Optional, Refuse: "jobs of muster have no steps"},
	{Name: "json", Arg: option.Optional, Refuse: "use muster status -o json"},
	{Name: "yaml", Arg: option.Optional, Refuse: "use muster status -o json"},
	{Name: "qos", Short: "q", Arg: option.Required, Refuse: "there are no QOS here"},
	{Name: "licenses", Short: "L", Arg: option.Required, Refuse: "there are no licenses here"},
	{Name: "reservation", Short: "R", Arg: option.Required, Refuse: "there are no reservations here"},
}

func listed(field func(*Squeue) *[]string) func(*Squeue, string) error {
	return func(q *Squeue, v string) error {
		*field(q) = append(*field(q), strings.Split(v, ",")...)
		return nil
	}
}

// parseIDs reads numbers with commas, "5,7_2,7_[3-5]".
func parseIDs(list string) ([]emulate.ID, error) {
	var ids []emulate.ID
	for list != "" {
		word := list
		if i := strings.IndexByte(list, ','); i >= 0 && !strings.Contains(list[:i], "[") {
			word = list[:i]
		} else if i >= 0 && strings.Contains(list, "]") {
			word = list[:strings.IndexByte(list, ']')+1]
		}
		list = strings.TrimPrefix(list[len(word):], ",")
		number, indices, isRange := strings.Cut(word, "_[")
		if !isRange {
			n, index, err := ParseID(word)
			if err != nil {
				return nil, err
			}
			ids = append(ids, emulate.ID{Number: n, Index: index})
			continue
		}
		n, _, err := ParseID(number)
		if err != nil {
			return nil, err
		}
		a, err := emulate.ParseArray(strings.TrimSuffix(indices, "]"), 0)
		if err != nil {
			return nil, err
		}
		for _, i := range a.Indices {
			ids = append(ids, emulate.ID{Number: n, Index: &i})
		}
	}
	return ids, nil
}

// ParseSqueue reads the arguments of squeue.
func ParseSqueue(args []string, who *emulate.Caller) (*Squeue, error) {
	q := &Squeue{now: who.Now}
	given, operands, err := squeueOptions.GNU(args, true)
	if err != nil {
		return nil, usage("squeue", err)
	}
	if len(operands) > 0 {
		return nil, failure("squeue", errors.New("Unrecognized option: "+operands[0]))
	}
	for _, g := range given {
		if err := g.Apply(q); err != nil {
			return nil, failure("squeue", err)
		}
	}
	format := orElse(who.Getenv("SQUEUE_FORMAT"), shortFormat)
	if q.columns == nil {
		if q.columns, err = parseFormat(format); err != nil {
			return nil, failure("squeue", err)
		}
	}
	if q.me {
		q.users = append(q.users, who.User)
	}
	q.settle()
	return q, nil
}

// settle makes the query of the options. Without states the unfinished are shown, with
// them also those that ended a short while ago.
func (q *Squeue) settle() {
	q.Query.States = []job.State{job.Blocked, job.Delayed, job.Ready, job.Reserved, job.Running, job.Lost}
	if q.anyState {
		q.Query.States = append(q.Query.States, job.Buried, job.Complete)
	}
	q.Since = q.now.Add(-MinJobAge * time.Second)
	q.Queue, q.Name, q.Account, q.User = only(q.partitions), only(q.names), only(q.accounts), only(q.users)
	q.Keep = func(s *emulate.Shown) bool {
		return among(q.partitions, partition(s)) && among(q.names, s.Name()) && among(q.users, s.Batch().User) &&
			among(q.accounts, s.Account) && among(q.hosts, emulate.ShortHost(s.Host())) &&
			(q.states == nil || q.states[stateOf(s).long])
	}
}

// only is the one of a list that has one.
func only(list []string) string {
	if len(list) == 1 {
		return list[0]
	}
	return ""
}

func among(list []string, value string) bool { return len(list) == 0 || slices.Contains(list, value) }

// Show is the answer about jobs.
func (q *Squeue) Show(jobs []*emulate.Shown) string {
	var b strings.Builder
	if !q.noHeader {
		b.WriteString(line(q.columns, func(f *field) string { return f.head }) + "\n")
	}
	for _, s := range jobs {
		r := &row{Shown: s, now: q.now}
		b.WriteString(line(q.columns, func(f *field) string { return f.value(r) }) + "\n")
	}
	return b.String()
}

// Unknown is how squeue ends when it is asked only about jobs that do not exist.
func (q *Squeue) Unknown() error {
	return emulate.Fail(1, "slurm_load_jobs error: Invalid job id specified")
}
