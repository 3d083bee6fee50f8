package slurm

import (
	"errors"
	"fmt"
	"strings"

	"github.com/muster-queue/muster/emulate"
	"github.com/muster-queue/muster/emulate/option"
	"github.com/muster-queue/muster/job"
)

// Scancel is a call of scancel.
type Scancel struct {
	emulate.Query
	Help, Version bool
	// Quiet: jobs that have ended are no error. Verbose: what is done is told.
	Quiet, Verbose bool

	me                       bool
	partitions, names, users []string
	accounts, hosts          []string
	states                   map[string]bool
}

var scancelOptions = option.Set[Scancel]{
	{Name: "account", Short: "A", Arg: option.Required, Set: picked(func(c *Scancel) *[]string { return &c.accounts })},
	{Name: "help", Set: chosen(func(c *Scancel) *bool { return &c.Help })},
	{Name: "me", Set: chosen(func(c *Scancel) *bool { return &c.me })},
	{Name: "name", Short: "n", Arg: option.Required, Set: picked(func(c *Scancel) *[]string { return &c.names })},
	{Name: "jobname", Arg: option.Required, Set: picked(func(c *Scancel) *[]string { return &c.names })},
	{Name: "nodelist", Short: "w", Arg: option.Required, Set: picked(func(c *Scancel) *[]string { return &c.hosts })},
	{Name: "partition", Short: "p", Arg: option.Required, Set: picked(func(c *Scancel) *[]string { return &c.partitions })},
	{Name: "quiet", Short: "Q", Set: chosen(func(c *Scancel) *bool { return &c.Quiet })},
	{Name: "state", Short: "t", Arg: option.Required, Set: func(c *Scancel, v string) (err error) {
		c.states, err = parseStates(v)
		return err
	}},
	{Name: "user", Short: "u", Arg: option.Required, Set: picked(func(c *Scancel) *[]string { return &c.users })},
	{Name: "verbose", Short: "v", Set: chosen(func(c *Scancel) *bool { return &c.Verbose })},
	{Name: "version", Short: "V", Set: chosen(func(c *Scancel) *bool { return &c.Version })},
	{Name: "clusters", Short: "M", Arg: option.Required}, {Name: "ctld"}, {Name: "full", Short: "f"}, {Name: "batch", Short: "b"}, {Name: "hurry", Short: "H"},
	{Name: "signal", Short: "s", Arg: option.Required, Set: func(_ *Scancel, v string) error {
		switch strings.TrimPrefix(strings.ToUpper(v), "SIG") {
		case "TERM", "KILL", "INT", "15", "9", "2":
			return nil // all end the job
		}
		return errors.New("muster sends no signal to jobs but to end them")
	}},
	{Name: "interactive", Short: "i", Refuse: "it asks no questions"},
	{Name: "qos", Short: "q", Arg: option.Required, Refuse: "there are no QOS here"},
	{Name: "reservation", Short: "R", Arg: option.Required, Refuse: "there are no reservations here"},
	{Name: "wckey", Arg: option.Required, Refuse: "there are no wckeys here"},
}

func picked(field func(*Scancel) *[]string) func(*Scancel, string) error {
	return func(c *Scancel, v string) error {
		*field(c) = append(*field(c), strings.Split(v, ",")...)
		return nil
	}
}

func chosen(field func(*Scancel) *bool) func(*Scancel, string) error {
	return func(c *Scancel, _ string) error {
		*field(c) = true
		return nil
	}
}

// ParseScancel reads the arguments of scancel.
func ParseScancel(args []string, who *emulate.Caller) (*Scancel, error) {
	c := &Scancel{}
	given, operands, err := scancelOptions.GNU(args, true)
	if err != nil {
		return nil, usage("scancel", err)
	}
	for _, g := range given {
		if err := g.Apply(c); err != nil {
			return nil, failure("scancel", err)
		}
	}
	for _, operand := range operands {
		ids, err := parseIDs(operand)
		if err != nil {
			return nil, failure("scancel", fmt.Errorf("Invalid job id %s", operand))
		}
		c.IDs = append(c.IDs, ids...)
	}
	if c.me {
		c.users = append(c.users, who.User)
	}
	filters := len(c.partitions) + len(c.names) + len(c.users) + len(c.accounts) + len(c.hosts) + len(c.states)
	if len(c.IDs) == 0 && filters == 0 && !c.Help && !c.Version {
		return nil, failure("scancel", errors.New("No job identification provided"))
	}
	c.settle()
	return c, nil
}

func (c *Scancel) settle() {
	c.Query.States = []job.State{job.Blocked, job.Delayed, job.Ready, job.Reserved, job.Running, job.Lost}
	c.Queue, c.Name, c.Account, c.User = only(c.partitions), only(c.names), only(c.accounts), only(c.users)
	c.Keep = func(s *emulate.Shown) bool {
		return among(c.partitions, partition(s)) && among(c.names, s.Name()) && among(c.users, s.Batch().User) &&
			among(c.accounts, s.Account) && among(c.hosts, emulate.ShortHost(s.Host())) && (c.states == nil || c.states[stateOf(s).long])
	}
}

// Unknown is what scancel says of a job that does not exist.
func (c *Scancel) Unknown(id emulate.ID) string {
	return fmt.Sprintf("scancel: error: Kill job error on job id %s: Invalid job id specified\n", idText(id))
}

// Over is what scancel says of a job that has ended.
func (c *Scancel) Over(s *emulate.Shown) string {
	if c.Quiet {
		return ""
	}
	return fmt.Sprintf("scancel: error: Kill job error on job id %s: Job/step already completing or completed\n", id(s))
}

func idText(id emulate.ID) string {
	if id.Index == nil {
		return emulate.Digits(id.Number)
	}
	return emulate.Digits(id.Number) + "_" + emulate.Digits(*id.Index)
}
