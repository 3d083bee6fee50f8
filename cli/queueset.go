package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/cli/input"
	"github.com/muster-queue/muster/coordinate"
	"github.com/muster-queue/muster/job"
)

func queueSetCmd(a *app) *cobra.Command {
	s := &queueSetter{app: a, values: map[string]func() string{}}
	cmd := &cobra.Command{
		Use: "set [-f FILE | QUEUE]", Short: "Make a queue, or change settings of one",
		Long: `Set makes a queue, or changes the settings that are given of one that is there.

With -f the queue is a Coordinate work spec, a dictionary in YAML or JSON: its
name, how its work is scheduled, and whatever its workers need to know. That is
what Coordinate's clients do with set_work_spec: other settings that follow from
a work spec are made anew, while those it does not speak of stay.`,
		Example: `  muster queue set nightly --priority -5 --max-running 2
  muster queue set training --label gpu:NVIDIA-A100 --prefer disk:ssd
  muster queue set flaky --retries 10 --backoff 1m
  muster queue set careful --on-lost hold --lease 30m
  muster queue set nightly --keep-finished 1000 --keep-finished-for 30d
  muster queue set -f spec.yaml`,
		Args: cobra.MaximumNArgs(1),
	}
	cmd.Flags().StringVarP(&s.file, "file", "f", "", "the `FILE` with a work spec, in YAML or JSON")
	for i := range queueSettings {
		if q := &queueSettings[i]; q.set != nil {
			s.values[q.name] = addFlag(cmd, q)
		}
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		q, fields, err := s.read(cmd, args)
		if err != nil {
			return err
		}
		return a.with(needStore, func(ctx context.Context, l *link, _ []string) error { return a.setQueue(ctx, l, q, fields) })(cmd, args)
	}
	return cmd
}

// addFlag adds the flag of a setting; the function is what was given.
func addFlag(cmd *cobra.Command, q *queueSetting) func() string {
	if q.list() {
		list := cmd.Flags().StringArray(q.flag(), nil, q.help)
		return func() string { return strings.Join(*list, "\n") }
	}
	text := cmd.Flags().String(q.flag(), "", q.help)
	return func() string { return *text }
}

// queueSetter reads the command line of "queue set".
type queueSetter struct {
	app    *app
	file   string
	values map[string]func() string
}

// read is the queue that is meant and the settings that are given.
func (s *queueSetter) read(cmd *cobra.Command, args []string) (q *job.Queue, fields []string, err error) {
	if s.file == "" {
		if err := oneArg(queueArg)(cmd, args); err != nil {
			return nil, nil, err
		}
		q = &job.Queue{Name: args[0]}
	} else if q, err = s.readSpec(args); err != nil {
		return nil, nil, err
	} else {
		fields = coordinate.Settings()
	}
	for i := range queueSettings {
		setting := &queueSettings[i]
		if setting.set == nil || !cmd.Flags().Changed(setting.flag()) {
			continue
		}
		if err := setting.set(q, s.values[setting.name]()); err != nil {
			return nil, nil, job.Wrap(err, "", "--"+setting.flag())
		}
		fields = append(fields, setting.name)
	}
	return q, fields, nil
}

// readSpec is the queue of a work spec in a file.
func (s *queueSetter) readSpec(args []string) (*job.Queue, error) {
	spec, err := s.app.document(s.file)
	if err != nil {
		return nil, err
	}
	q, err := coordinate.NewQueue(spec)
	if err != nil {
		return nil, job.Wrap(err, "read", s.file)
	}
	if len(args) == 1 && args[0] != q.Name {
		return nil, job.Errorf(job.Invalid, "%s has the work spec %s, not %s; leave the name out, or change it there", s.file, q.Name, args[0])
	}
	return q, nil
}

// document reads a dictionary from a file, or from the standard input ("-").
func (a *app) document(file string) (map[string]any, error) {
	if file == "-" {
		return input.ReadDocumentFrom("the standard input", a.Stdin)
	}
	return input.ReadDocument(file)
}

// setQueue makes a queue, or changes the fields of one.
func (a *app) setQueue(ctx context.Context, l *link, q *job.Queue, fields []string) error {
	present, err := l.Queue(ctx, q.Name)
	made := job.IsKind(err, job.NotFound)
	switch {
	case err != nil && !made:
		return err
	case len(fields) == 0 && !made:
		return job.Errorf(job.Invalid, "queue %s is there; say what to change, e.g. --priority 5", q.Name)
	case !made && q.Defined() && !present.Defined():
		return job.Errorf(job.Conflict, "the queue %s is there and is no work spec; choose another name", q.Name)
	case made:
		fields = nil // all of it
	}
	if _, err := l.SetQueue(ctx, q, fields...); err != nil {
		return err
	}
	verb := "changed"
	if made {
		verb = "made"
	}
	a.say("Queue %s is %s.", q.Name, verb)
	if q.Account != "" {
		a.warnOfAccounts(ctx, l, q.Account)
	}
	return nil
}

func queueLoadCmd(a *app) *cobra.Command {
	var config string
	cmd := &cobra.Command{
		Use: "load FILE", Short: "Make the queues of a flow: work specs that feed each other",
		Long: `Load makes a queue of every work spec in a file that has "flows:", dictionaries in
dictionaries, in YAML or JSON. One that has min_gb is a work spec; its name is
made of the keys that lead to it, joined by dots. A work spec's "then", the one
that its outputs go to, must be in the same file. Nothing is made if one is bad.`,
		Example: `  muster queue load flows.yaml
  muster queue load --config cluster.yaml flows.yaml`,
		Args: oneArg("the file with the flow"),
		RunE: func(cmd *cobra.Command, args []string) error {
			queues, err := a.readFlow(args[0], config)
			if err != nil {
				return err
			}
			return a.with(needStore, func(ctx context.Context, l *link, _ []string) error {
				for _, q := range queues {
					if err := a.setQueue(ctx, l, q, coordinate.Settings()); err != nil {
						return err
					}
				}
				return nil
			})(cmd, args)
		},
	}
	cmd.Flags().StringVar(&config, "config", "", "the `FILE` with the configuration that each work spec's own is laid over")
	return cmd
}

// readFlow reads the queues of a flow.
func (a *app) readFlow(file, config string) ([]*job.Queue, error) {
	document, err := a.document(file)
	if err != nil {
		return nil, err
	}
	flows := document["flows"]
	if flows == nil {
		return nil, job.Errorf(job.Invalid, "%s: it has no flows; they are a dictionary under the name \"flows\"", file)
	}
	var global map[string]any
	if config != "" {
		if global, err = a.document(config); err != nil {
			return nil, err
		}
	}
	queues, err := coordinate.NewFlow(flows, global)
	return queues, job.Wrap(err, "read", file)
}

func queuePruneCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "prune QUEUE", Short: "Remove the complete jobs that need not be kept any more",
		Long: `Prune removes complete jobs by the queue's settings keep_finished and
keep_finished_for. A server does that by itself from time to time.`,
		Example: `  muster queue set nightly --keep-finished-for 30d
  muster queue prune nightly`,
		Args: oneArg(queueArg),
		RunE: a.with(needData, func(ctx context.Context, l *link, args []string) error {
			n, err := l.Prune(ctx, args[0])
			if err != nil {
				return err
			}
			a.say("%s removed.", plural(n, "complete job"))
			return nil
		}),
	}
}
