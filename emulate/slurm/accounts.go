package slurm

import (
	"errors"
	"strings"

	"github.com/muster-queue/muster/emulate"
	"github.com/muster-queue/muster/emulate/option"
	"github.com/muster-queue/muster/job"
)

// Accounts is a call of sacctmgr or sshare, as far as it asks which accounts there are.
type Accounts struct {
	Help, Version bool

	noHeader, parsable, trailing bool
	user                         string
	columns                      []accountColumn
}

type accountColumn struct {
	name  string
	width int
}

var accountsOptions = option.Set[Accounts]{
	{Name: "help", Short: "h", Set: func(q *Accounts, _ string) error {
		q.Help = true
		return nil
	}},
	{Name: "noheader", Short: "n", Set: func(q *Accounts, _ string) error {
		q.noHeader = true
		return nil
	}},
	{Name: "parsable", Short: "p", Set: func(q *Accounts, _ string) error {
		q.parsable, q.trailing = true, true
		return nil
	}},
	{Name: "parsable2", Short: "P", Set: func(q *Accounts, _ string) error {
		q.parsable = true
		return nil
	}},
	{Name: "format", Short: "o", Arg: option.Required, Set: func(q *Accounts, v string) error { return q.format(v) }},
	{Name: "version", Short: "V", Set: func(q *Accounts, _ string) error {
		q.Version = true
		return nil
	}},
	{Name: "associations", Short: "s"}, {Name: "Users", Short: "U"}, {Name: "users", Short: "u", Arg: option.Required}, {Name: "immediate", Short: "i"},
	{Name: "quiet", Short: "Q"}, {Name: "readonly", Short: "r"}, {Name: "verbose", Short: "v"}, {Name: "all", Short: "a"}, {Name: "long", Short: "l"},
	{Name: "accounts", Short: "A", Arg: option.Required},
}

// ParseAccounts reads the arguments of sacctmgr or sshare.
func ParseAccounts(command string, args []string, who *emulate.Caller) (*Accounts, error) {
	q := &Accounts{user: who.User, columns: []accountColumn{{"account", 10}, {"user", 10}}}
	given, operands, err := accountsOptions.GNU(args, true)
	if err != nil {
		return nil, usage(command, err)
	}
	for _, g := range given {
		if err := g.Apply(q); err != nil {
			return nil, failure(command, err)
		}
	}
	if command == "sacctmgr" && !q.Help && !q.Version {
		if err := q.list(operands); err != nil {
			return nil, failure(command, err)
		}
	}
	return q, nil
}

// list reads "list user alice format=account%30".
func (q *Accounts) list(operands []string) error {
	if len(operands) < 2 || operands[0] != "list" && operands[0] != "show" {
		return errors.New("of sacctmgr there is only \"list user\", \"list account\" and \"list association\"; accounts are changed with muster account")
	}
	switch what := strings.ToLower(operands[1]); {
	case strings.HasPrefix("users", what), strings.HasPrefix("accounts", what), strings.HasPrefix("associations", what), what == "assoc":
	default:
		return job.Errorf(job.Invalid, "invalid keyword: %s", operands[1])
	}
	for _, word := range operands[2:] {
		name, value, set := strings.Cut(word, "=")
		if set && strings.EqualFold(name, "format") {
			if err := q.format(value); err != nil {
				return err
			}
		}
	}
	return nil
}

func (q *Accounts) format(v string) error {
	q.columns = nil
	for one := range strings.SplitSeq(v, ",") {
		name, width, _ := strings.Cut(one, "%")
		c := accountColumn{name: strings.ToLower(name), width: 10}
		if n, err := count(width); err == nil && n > 0 && n <= maxWidth {
			c.width = int(n)
		}
		if _, known := q.value(c.name, ""); !known {
			return job.Errorf(job.Invalid, "Unknown field '%s'", name)
		}
		q.columns = append(q.columns, c)
	}
	return nil
}

func (q *Accounts) value(column, account string) (string, bool) {
	switch column {
	case "account", "defaultaccount":
		return account, true
	case "user":
		return q.user, true
	case "cluster":
		return Cluster, true
	case "qos", "partition", "share", "fairshare":
		return "", true
	}
	return "", false
}

// Show is the answer about accounts.
func (q *Accounts) Show(accounts []string) string {
	var b strings.Builder
	write := func(get func(string) string) {
		texts := make([]string, len(q.columns))
		for i, c := range q.columns {
			if texts[i] = get(c.name); !q.parsable {
				texts[i] = (&column{width: c.width, right: true}).lay(texts[i])
			}
		}
		end := map[bool]string{true: "|"}[q.trailing]
		b.WriteString(strings.Join(texts, map[bool]string{true: "|", false: " "}[q.parsable]) + end + "\n")
	}
	if !q.noHeader {
		write(func(name string) string { return strings.ToUpper(name[:1]) + name[1:] })
	}
	for _, a := range accounts {
		write(func(name string) string {
			v, _ := q.value(name, a)
			return v
		})
	}
	return b.String()
}
