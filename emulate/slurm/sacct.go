package slurm

import (
	"strings"
	"time"

	"github.com/muster-queue/muster/emulate"
	"github.com/muster-queue/muster/emulate/option"
	"github.com/muster-queue/muster/job"
)

// Sacct is a call of sacct.
type Sacct struct {
	emulate.Query
	Help, Version bool

	allUsers, noSteps, noHeader bool
	// parsable: with "|" between fields; trailing also behind the last.
	parsable, trailing bool
	delimiter          string
	columns            []column
	users, names       []string
	accounts           []string
	partitions         []string
	states             map[string]bool
	start, end         time.Time
	now                time.Time
}

const accountFormat = "JobID,JobName,Partition,Account,AllocCPUS,State,ExitCode"

var sacctOptions = option.Set[Sacct]{
	{Name: "accounts", Short: "A", Arg: option.Required, Set: accounted(func(q *Sacct) *[]string { return &q.accounts })},
	{Name: "allocations", Short: "X", Set: flagged(func(q *Sacct) *bool { return &q.noSteps })},
	{Name: "allusers", Short: "a", Set: flagged(func(q *Sacct) *bool { return &q.allUsers })},
	{Name: "brief", Short: "b", Set: func(q *Sacct, _ string) (err error) {
		q.columns, err = parseAccount("JobID,State,ExitCode")
		return err
	}},
	{Name: "delimiter", Arg: option.Required, Set: func(q *Sacct, v string) error {
		q.delimiter = v
		return nil
	}},
	{Name: "endtime", Short: "E", Arg: option.Required, Set: func(q *Sacct, v string) (err error) {
		q.end, err = parseMoment(v, q.now)
		return err
	}},
	{Name: "format", Short: "o", Arg: option.Required, Set: func(q *Sacct, v string) (err error) {
		q.columns, err = parseAccount(v)
		return err
	}},
	{Name: "help", Short: "h", Set: flagged(func(q *Sacct) *bool { return &q.Help })},
	{Name: "jobs", Short: "j", Arg: option.Required, Set: func(q *Sacct, v string) (err error) {
		q.IDs, err = parseIDs(v)
		return err
	}},
	{Name: "long", Short: "l", Set: func(q *Sacct, _ string) (err error) {
		q.columns, err = parseAccount("JobID,JobIDRaw,JobName,Partition,MaxRSS,NCPUS,Elapsed,State,ExitCode,ReqMem,TotalCPU,AllocTRES")
		return err
	}},
	{Name: "name", Arg: option.Required, Set: accounted(func(q *Sacct) *[]string { return &q.names })},
	{Name: "noheader", Short: "n", Set: flagged(func(q *Sacct) *bool { return &q.noHeader })},
	{Name: "parsable", Short: "p", Set: func(q *Sacct, _ string) error {
		q.parsable, q.trailing = true, true
		return nil
	}},
	{Name: "parsable2", Short: "P", Set: func(q *Sacct, _ string) error {
		q.parsable, q.trailing = true, false
		return nil
	}},
	{Name: "partition", Short: "r", Arg: option.Required, Set: accounted(func(q *Sacct) *[]string { return &q.partitions })},
	{Name: "starttime", Short: "S", Arg: option.Required, Set: func(q *Sacct, v string) (err error) {
		q.start, err = parseMoment(v, q.now)
		return err
	}},
	{Name: "state", Short: "s", Arg: option.Required, Set: func(q *Sacct, v string) (err error) {
		q.states, err = parseStates(v)
		return err
	}},
	{Name: "user", Short: "u", Arg: option.Required, Set: accounted(func(q *Sacct) *[]string { return &q.users })},
	{Name: "uid", Arg: option.Required, Set: accounted(func(q *Sacct) *[]string { return &q.users })},
	{Name: "version", Short: "V", Set: flagged(func(q *Sacct) *bool { return &q.Version })},
	{Name: "clusters", Short: "M", Arg: option.Required}, {Name: "cluster", Arg: option.Required}, {Name: "allclusters", Short: "L"},
	{Name: "duplicates", Short: "D"}, {Name: "truncate", Short: "T"}, {Name: "verbose", Short: "v"}, {Name: "units", Arg: option.Required},
	{Name: "noconvert"}, {Name: "array"}, {Name: "federation"}, {Name: "local"},
	{Name: "json", Arg: option.Optional, Refuse: "use muster status -o json"},
	{Name: "yaml", Arg: option.Optional, Refuse: "use muster status -o json"},
	{Name: "completion", Short: "c", Refuse: "muster has one record of jobs"},
	{Name: "file", Short: "f", Arg: option.Required, Refuse: "muster has one record of jobs"},
	{Name: "nodelist", Short: "N", Arg: option.Required, Refuse: "use muster status --host"},
	{Name: "qos", Short: "q", Arg: option.Required, Refuse: "there are no QOS here"},
}

func accounted(field func(*Sacct) *[]string) func(*Sacct, string) error {
	return func(q *Sacct, v string) error {
		*field(q) = append(*field(q), strings.Split(v, ",")...)
		return nil
	}
}

func flagged(field func(*Sacct) *bool) func(*Sacct, string) error {
	return func(q *Sacct, _ string) error {
		*field(q) = true
		return nil
	}
}

// ParseSacct reads the arguments of sacct.
func ParseSacct(args []string, who *emulate.Caller) (*Sacct, error) {
	q := &Sacct{now: who.Now, delimiter: "|"}
	given, operands, err := sacctOptions.GNU(args, true)
	if err != nil {
		return nil, usage("sacct", err)
	}
	if len(operands) > 0 {
		return nil, emulate.Fail(1, "sacct: error: Unknown arguments:\nsacct: error:  %s", strings.Join(operands, " "))
	}
	for _, g := range given {
		if err := g.Apply(q); err != nil {
			return nil, failure("sacct", err)
		}
	}
	if q.columns == nil {
		if q.columns, err = parseAccount(orElse(who.Getenv("SACCT_FORMAT"), accountFormat)); err != nil {
			return nil, failure("sacct", err)
		}
	}
	if len(q.users) == 0 && !q.allUsers && len(q.IDs) == 0 {
		q.users = []string{who.User}
	}
	q.settle()
	return q, nil
}

// settle makes the query of the options. When no time is given and no job, jobs are
// shown that did not end before today.
func (q *Sacct) settle() {
	if q.start.IsZero() && len(q.IDs) == 0 {
		q.start = time.Date(q.now.Year(), q.now.Month(), q.now.Day(), 0, 0, 0, 0, q.now.Location())
	}
	q.Query.States = []job.State{job.Blocked, job.Delayed, job.Ready, job.Reserved, job.Running, job.Lost, job.Buried, job.Complete}
	q.Since = q.start
	q.Queue, q.Name, q.Account, q.User = only(q.partitions), only(q.names), only(q.accounts), only(q.users)
	q.Keep = func(s *emulate.Shown) bool {
		return among(q.partitions, partition(s)) && among(q.names, s.Name()) && among(q.accounts, s.Account) &&
			(q.allUsers || among(q.users, s.Batch().User)) &&
			(q.states == nil || q.states[stateOf(s).long]) && (q.end.IsZero() || !s.Added.After(q.end))
	}
}

// Show is the answer about jobs.
func (q *Sacct) Show(jobs []*emulate.Shown) string {
	var b strings.Builder
	if !q.noHeader {
		b.WriteString(q.line(func(f *field) string { return f.account }) + "\n")
		if !q.parsable {
			b.WriteString(q.line(func(*field) string { return strings.Repeat("-", maxWidth) }) + "\n")
		}
	}
	for _, s := range jobs {
		r := &row{Shown: s, now: q.now, accounting: true}
		b.WriteString(q.line(func(f *field) string { return f.value(r) }) + "\n")
		if !q.noSteps && !s.Began().IsZero() {
			r.step = true
			b.WriteString(q.line(func(f *field) string { return f.value(r) }) + "\n")
		}
	}
	return b.String()
}

func (q *Sacct) line(get func(*field) string) string {
	if !q.parsable {
		var b strings.Builder
		for _, c := range q.columns {
			text := get(c.field)
			if len(text) == maxWidth { // the rule below the heads
				text = text[:c.width]
			}
			b.WriteString(c.lay(text) + " ")
		}
		return b.String()
	}
	texts := make([]string, len(q.columns))
	for i, c := range q.columns {
		texts[i] = get(c.field)
	}
	text := strings.Join(texts, q.delimiter)
	if q.trailing {
		text += q.delimiter
	}
	return text
}
