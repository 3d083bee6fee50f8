package lsf

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/muster-queue/muster/emulate"
	"github.com/muster-queue/muster/emulate/option"
	"github.com/muster-queue/muster/job"
)

// cleanPeriod is how long bjobs -a shows jobs that have ended.
const cleanPeriod = time.Hour

// Bjobs is a call of bjobs.
type Bjobs struct {
	emulate.Query
	Help, Version bool

	noHeader, wide, json bool
	all, running         bool
	pending, done        bool
	columns              []column
	delimiter            string
	user, host           string
	name                 string
	now                  time.Time
}

var bjobsOptions = option.Set[Bjobs]{
	{Name: "a", Set: set(func(q *Bjobs) *bool { return &q.all })},
	{Name: "d", Set: set(func(q *Bjobs) *bool { return &q.done })},
	{Name: "h", Set: set(func(q *Bjobs) *bool { return &q.Help })},
	{Name: "J", Arg: option.Required, Set: word(func(q *Bjobs) *string { return &q.name })},
	{Name: "json", Set: set(func(q *Bjobs) *bool { return &q.json })},
	{Name: "m", Arg: option.Required, Set: word(func(q *Bjobs) *string { return &q.host })},
	{Name: "noheader", Set: set(func(q *Bjobs) *bool { return &q.noHeader })},
	{Name: "o", Arg: option.Required, Set: (*Bjobs).format},
	{Name: "P", Arg: option.Required, Set: word(func(q *Bjobs) *string { return &q.Account })},
	{Name: "p", Set: set(func(q *Bjobs) *bool { return &q.pending })},
	{Name: "q", Arg: option.Required, Set: word(func(q *Bjobs) *string { return &q.Queue })},
	{Name: "r", Set: set(func(q *Bjobs) *bool { return &q.running })},
	{Name: "u", Arg: option.Required, Set: word(func(q *Bjobs) *string { return &q.user })},
	{Name: "V", Set: set(func(q *Bjobs) *bool { return &q.Version })},
	{Name: "w", Set: set(func(q *Bjobs) *bool { return &q.wide })},
	{Name: "W", Set: set(func(q *Bjobs) *bool { return &q.wide })},
	{Name: "UF"}, {Name: "X"}, {Name: "hms"},
	{Name: "A", Refuse: "elements are shown one by one"},
	{Name: "l", Refuse: "use -o with the fields that are wanted, or muster status"},
	{Name: "s", Refuse: "jobs of muster are not suspended"},
	{Name: "g", Arg: option.Required, Refuse: "there are no job groups here"},
	{Name: "G", Arg: option.Required, Refuse: "there are no groups of users here"},
	{Name: "app", Arg: option.Required, Refuse: "there are no application profiles here"},
	{Name: "sla", Arg: option.Required, Refuse: "there are no service classes here"},
	{Name: "sum", Refuse: "use muster status"},
}

func set(field func(*Bjobs) *bool) func(*Bjobs, string) error {
	return func(q *Bjobs, _ string) error {
		*field(q) = true
		return nil
	}
}

func word(field func(*Bjobs) *string) func(*Bjobs, string) error {
	return func(q *Bjobs, v string) error {
		*field(q) = v
		return nil
	}
}

// ParseBjobs reads the arguments of bjobs.
func ParseBjobs(args []string, who *emulate.Caller) (*Bjobs, error) {
	q := &Bjobs{now: who.Now, user: who.User}
	given, operands, err := bjobsOptions.LSF(args, true)
	if err != nil {
		return nil, usage("bjobs", "", err)
	}
	if format := who.Getenv("LSB_BJOBS_FORMAT"); format != "" {
		if err := q.format(format); err != nil {
			return nil, Failure("bjobs", err)
		}
	}
	for _, g := range given {
		if err := g.Apply(q); err != nil {
			return nil, Failure("bjobs", err)
		}
	}
	for _, operand := range operands {
		if operand == "0" {
			continue
		}
		ids, err := parseIDs(operand)
		if err != nil {
			return nil, Failure("bjobs", err)
		}
		q.IDs = append(q.IDs, ids...)
	}
	q.settle()
	return q, nil
}

// settle makes the query of the options.
func (q *Bjobs) settle() {
	q.Query.States = []job.State{job.Blocked, job.Delayed, job.Ready, job.Reserved, job.Running, job.Lost}
	ended := q.all || q.done
	if ended {
		q.Query.States = append(q.Query.States, job.Buried, job.Complete)
	}
	q.Since = q.now.Add(-cleanPeriod)
	q.Name = q.name
	named := len(q.IDs) > 0
	q.Keep = func(s *emulate.Shown) bool {
		state := stateOf(s)
		return (named || q.user == "all" || q.user == "" || s.Batch().User == q.user) &&
			(q.Queue == "" || s.Job.QueueName() == q.Queue) && (q.Account == "" || s.Account == q.Account) &&
			(q.host == "" || s.Host() == q.host) && (q.name == "" || emulate.Matches(plainName(q.name), s.Name())) && q.inState(state)
	}
	if q.columns == nil && q.json {
		q.columns = standard()
	}
}

// inState reports whether jobs in a state are asked for.
func (q *Bjobs) inState(state string) bool {
	return (!q.running || state == "RUN") && (!q.pending || state == "PEND" || state == "PSUSP") && (!q.done || state == "DONE" || state == "EXIT")
}

// plainName is a name without the indices of an array.
func plainName(name string) string {
	plain, _, _ := strings.Cut(name, "[")
	return plain
}

// Unknown is what is said of a job that does not exist.
func (q *Bjobs) Unknown(id emulate.ID) string {
	return fmt.Sprintf("Job <%s> is not found\n", idText(id))
}

// None is how bjobs ends that has nothing to show.
func (q *Bjobs) None() error {
	switch {
	case q.name != "":
		return emulate.Fail(exitCode, "Job <%s> is not found", q.name)
	case q.all:
		return emulate.Fail(exitCode, "No job found")
	case q.running:
		return emulate.Fail(exitCode, "No running job found")
	case q.pending:
		return emulate.Fail(exitCode, "No pending job found")
	case q.done:
		return emulate.Fail(exitCode, "No DONE/EXIT job found")
	}
	return emulate.Fail(exitCode, "No unfinished job found")
}

// Show is the answer about jobs.
func (q *Bjobs) Show(jobs []*emulate.Shown) string {
	switch {
	case q.json:
		return q.document(jobs)
	case q.columns != nil:
		return q.table(jobs)
	}
	var b strings.Builder
	if !q.noHeader {
		b.WriteString(q.usual("JOBID", "USER", "STAT", "QUEUE", "FROM_HOST", "EXEC_HOST", "JOB_NAME", "SUBMIT_TIME"))
	}
	for _, s := range jobs {
		from := settingOf(s, "LSB_SUB_HOST")
		b.WriteString(q.usual(emulate.Digits(s.First()), orDash(s.Batch().User), stateOf(s), s.Job.QueueName(),
			orDash(from), orDash(s.Host()), name(s), moment(s.Added)))
	}
	return b.String()
}

func moment(t time.Time) string { return t.Local().Format("Jan _2 15:04") }

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// usual lays a line out as bjobs does without -o.
func (q *Bjobs) usual(texts ...string) string {
	var b strings.Builder
	for i, width := range []int{7, 7, 5, 10, 11, 11, 10, 0} {
		text := texts[i]
		if n := utf8.RuneCountInString(text); !q.wide && width > 0 && i > 0 && n > width {
			text = shorten(text, width)
		}
		if width == 0 {
			b.WriteString(text + "\n")
			continue
		}
		fmt.Fprintf(&b, "%-*s ", width, text)
	}
	return b.String()
}

// shorten keeps the end of a text, with a star in front, as bjobs does.
func shorten(text string, width int) string {
	r := []rune(text)
	return "*" + string(r[len(r)-width+1:])
}

// column is a field with how it is laid out.
type column struct {
	*field
	width int
	right bool
}

// format reads the format of -o: fields with ":[-]WIDTH", and "delimiter='C'".
func (q *Bjobs) format(v string) error {
	q.columns, q.delimiter = nil, ""
	words, err := emulate.Words(v)
	if err != nil {
		return err
	}
	for _, w := range words {
		if d, ok := strings.CutPrefix(w, "delimiter="); ok {
			if d == "" {
				return job.Errorf(job.Invalid, "The delimiter is empty")
			}
			q.delimiter = d
			continue
		}
		name, layout, sized := strings.Cut(w, ":")
		if name == "all" || name == "" {
			q.columns = append(q.columns, standard()...)
			continue
		}
		c := column{field: fieldNamed(strings.ToLower(name))}
		if c.field == nil {
			return job.Errorf(job.Invalid, "%s: Unknown field name", name)
		}
		c.width = c.field.width
		if layout, _, _ = strings.Cut(layout, ":"); sized && layout != "" {
			width, left := strings.CutPrefix(layout, "-")
			if c.right = left; width != "" {
				n, err := strconv.ParseUint(width, 10, 12)
				if err != nil {
					return job.Errorf(job.Invalid, "%s: Bad output width", w)
				}
				c.width = int(n)
			}
		}
		q.columns = append(q.columns, c)
	}
	if len(q.columns) == 0 {
		return job.Errorf(job.Invalid, "No field is specified")
	}
	return nil
}

func (q *Bjobs) table(jobs []*emulate.Shown) string {
	var b strings.Builder
	write := func(get func(*field) string) {
		for i, c := range q.columns {
			last := i == len(q.columns)-1
			text := get(c.field)
			switch {
			case q.delimiter != "" && !last:
				text += q.delimiter
			case q.delimiter == "":
				text = c.lay(text) + map[bool]string{false: " "}[last]
			}
			b.WriteString(text)
		}
		b.WriteString("\n")
	}
	if !q.noHeader {
		write(func(f *field) string { return strings.ToUpper(f.name) })
	}
	for _, s := range jobs {
		write(func(f *field) string { return orDash(f.value(s, q.now)) })
	}
	return b.String()
}

func (c *column) lay(text string) string {
	n := utf8.RuneCountInString(text)
	switch {
	case n > c.width && c.width > 0:
		return shorten(text, c.width)
	case c.right:
		return strings.Repeat(" ", c.width-n) + text
	}
	return text + strings.Repeat(" ", c.width-n)
}

// document is the answer of -json.
func (q *Bjobs) document(jobs []*emulate.Shown) string {
	records := make([]map[string]string, len(jobs))
	for i, s := range jobs {
		records[i] = map[string]string{}
		for _, c := range q.columns {
			records[i][strings.ToUpper(c.name)] = c.value(s, q.now)
		}
	}
	b, _ := json.MarshalIndent(struct {
		Command string              `json:"COMMAND"`
		Jobs    int                 `json:"JOBS"`
		Records []map[string]string `json:"RECORDS"`
	}{"bjobs", len(jobs), records}, "", "  ")
	return string(b) + "\n"
}
