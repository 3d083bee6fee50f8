package lsf

import (
	"errors"
	"fmt"
	"strings"

	"github.com/muster-queue/muster/emulate"
	"github.com/muster-queue/muster/emulate/option"
	"github.com/muster-queue/muster/job"
)

// Bkill is a call of bkill.
type Bkill struct {
	emulate.Query
	Help, Version bool

	all        bool
	user, host string
	name       string
}

var bkillOptions = option.Set[Bkill]{
	{Name: "h", Set: kills(func(c *Bkill) *bool { return &c.Help })},
	{Name: "V", Set: kills(func(c *Bkill) *bool { return &c.Version })},
	{Name: "J", Arg: option.Required, Set: killed(func(c *Bkill) *string { return &c.name })},
	{Name: "m", Arg: option.Required, Set: killed(func(c *Bkill) *string { return &c.host })},
	{Name: "q", Arg: option.Required, Set: killed(func(c *Bkill) *string { return &c.Queue })},
	{Name: "u", Arg: option.Required, Set: killed(func(c *Bkill) *string { return &c.user })},
	{Name: "s", Arg: option.Required, Set: func(_ *Bkill, v string) error {
		switch strings.TrimPrefix(strings.ToUpper(v), "SIG") {
		case "TERM", "KILL", "INT", "15", "9", "2":
			return nil // all end the job
		}
		return errors.New("muster sends no signal to jobs but to end them")
	}},
	{Name: "b"}, {Name: "r"}, {Name: "C", Arg: option.Required}, {Name: "d"},
	{Name: "l", Refuse: "muster sends no signal to jobs but to end them"},
	{Name: "g", Arg: option.Required, Refuse: "there are no job groups here"},
	{Name: "app", Arg: option.Required, Refuse: "there are no application profiles here"},
	{Name: "sla", Arg: option.Required, Refuse: "there are no service classes here"},
	{Name: "stat", Arg: option.Required, Refuse: "use muster cancel --state"},
}

func kills(field func(*Bkill) *bool) func(*Bkill, string) error {
	return func(c *Bkill, _ string) error {
		*field(c) = true
		return nil
	}
}

func killed(field func(*Bkill) *string) func(*Bkill, string) error {
	return func(c *Bkill, v string) error {
		*field(c) = v
		return nil
	}
}

// ParseBkill reads the arguments of bkill.
func ParseBkill(args []string, who *emulate.Caller) (*Bkill, error) {
	c := &Bkill{user: who.User}
	given, operands, err := bkillOptions.LSF(args, true)
	if err != nil {
		return nil, usage("bkill", "", err)
	}
	for _, g := range given {
		if err := g.Apply(c); err != nil {
			return nil, Failure("bkill", err)
		}
	}
	for _, operand := range operands {
		if operand == "0" {
			c.all = true
			continue
		}
		ids, err := parseIDs(operand)
		if err != nil {
			return nil, Failure("bkill", err)
		}
		c.IDs = append(c.IDs, ids...)
	}
	if len(c.IDs) == 0 && !c.all && c.name == "" && c.Queue == "" && c.host == "" && !c.Help && !c.Version {
		return nil, emulate.Fail(exitCode, "Job ID or one of the options -J, -q, -m must be specified\n%s", uses["bkill"])
	}
	c.settle()
	return c, nil
}

func (c *Bkill) settle() {
	c.Query.States = []job.State{job.Blocked, job.Delayed, job.Ready, job.Reserved, job.Running, job.Lost}
	c.Name = c.name
	named := len(c.IDs) > 0
	c.Keep = func(s *emulate.Shown) bool {
		return (named || c.user == "all" || s.Batch().User == c.user) && (c.Queue == "" || s.Job.QueueName() == c.Queue) &&
			(c.host == "" || s.Host() == c.host) && (c.name == "" || emulate.Matches(plainName(c.name), s.Name()))
	}
}

// Unknown is what is said of a job that does not exist.
func (c *Bkill) Unknown(id emulate.ID) string {
	return fmt.Sprintf("Job <%s>: No matching job found\n", idText(id))
}

// None is how bkill ends that finds nothing to kill.
func (c *Bkill) None() error { return emulate.Fail(exitCode, "No unfinished job found") }

// Over is what is said of a job that has ended.
func (c *Bkill) Over(s *emulate.Shown) string {
	return fmt.Sprintf("Job <%s>: Job has already finished\n", id(s))
}

// Done is what is said of jobs that are being ended: an array by its number when the
// number was named.
func (c *Bkill) Done(jobs []*emulate.Shown) string {
	whole := map[uint64]bool{}
	for _, id := range c.IDs {
		if id.Index == nil {
			whole[id.Number] = true
		}
	}
	var b strings.Builder
	last := ""
	for _, s := range jobs {
		text := id(s)
		if whole[s.First()] {
			text = emulate.Digits(s.First())
		}
		if text != last {
			fmt.Fprintf(&b, "Job <%s> is being terminated\n", text)
		}
		last = text
	}
	return b.String()
}
