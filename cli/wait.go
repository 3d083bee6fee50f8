package cli

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/cli/output"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

func waitCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "wait [KEY...]",
		Short: "Wait until jobs have ended",
		Long: `Wait shows the progress of jobs until all of them are complete or buried. It
exits with 0 when all are complete and with 1 when one failed, after telling why.
Without a selection it waits for every job of the namespace.`,
		Example: `  muster add -f jobs.txt && muster wait -f jobs.txt
  muster wait -i align
  muster wait 3f2a9c01d7e4 && echo done`,
	}
	s := &selection{app: a}
	f := cmd.Flags()
	f.StringVarP(&s.file, "file", "f", "", "the jobs of this `FILE`, as it was added; - is the standard input")
	f.StringVarP(&s.filter.Group, "group", "i", "", "jobs of this report `GROUP`")
	f.StringVarP(&s.filter.Queue, "queue", "q", "", "jobs of this `QUEUE`")
	f.StringVarP(&s.cwd, "cwd", "c", "", "with -f: the `DIR`ectory the file was added in, or with --cwd")
	f.BoolVar(&s.duplicates, "duplicates", false, "with -f: the file was added with --duplicates")
	s.given = f
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := s.settle(args); err != nil {
			return err
		}
		err := a.with(needData, func(ctx context.Context, l *link, _ []string) error { return a.waitFor(ctx, l, s) })(cmd, args)
		return s.excuse(err)
	}
	return cmd
}

func (a *app) waitFor(ctx context.Context, l *link, s *selection) error {
	if l.embedded {
		if err := s.standStill(ctx, l); err != nil {
			return err
		}
	}
	if !s.named() {
		w := waiting{app: a, link: l, name: waitName(s), delayed: &s.filter,
			group: &client.WaitFor{Queue: s.filter.Queue, Group: s.filter.Group}}
		counts, err := w.wait(ctx)
		if err != nil {
			return err
		}
		if counts.Total() == 0 {
			a.say("There are no jobs to wait for.")
			return s.sayUnknown(ctx, l)
		}
		return a.conclude(counts, func() ([]client.Outcome, error) {
			filter := s.filter
			filter.States = []string{job.Buried.String()}
			list, _, err := l.Outcomes(ctx, filter, 1, client.Detail{Output: true})
			return list, err
		})
	}
	w := waiting{app: a, link: l, name: waitName(s), pages: func(do func([]client.Ref) error) error {
		return s.pages(ctx, l, func(page client.Selection) error { return do(page.Jobs) })
	}}
	counts, err := w.wait(ctx)
	if err != nil {
		return err
	}
	return a.conclude(counts, func() ([]client.Outcome, error) { return w.failures(ctx) })
}

// standStill is the error when there is something to wait for, and no server that
// goes on with it.
func (s *selection) standStill(ctx context.Context, l *link) error {
	unfinished := func(list []*client.Info) error {
		for _, i := range list {
			if i.State != job.Complete && i.State != job.Buried {
				return job.Errorf(job.Unavailable, "no server runs on %s, so its jobs do not go on: \"muster server\" runs them, "+
					"or \"muster run\" with the same file", dataDir())
			}
		}
		return nil
	}
	if !s.named() {
		filter := s.filter
		filter.States = []string{"unfinished"}
		list, _, err := l.Page(ctx, filter, client.Detail{Brief: true}, 1, "")
		if err != nil {
			return err
		}
		return unfinished(list)
	}
	return s.pages(ctx, l, func(page client.Selection) error {
		list, err := l.Lookup(ctx, page.Jobs, client.Detail{Brief: true})
		if err != nil {
			return err
		}
		return unfinished(list)
	})
}

func waitName(s *selection) string {
	switch {
	case s.file != "":
		return s.file
	case len(s.args) == 1:
		return s.args[0]
	case s.filter.Group != "":
		return s.filter.Group
	case s.filter.Queue != "":
		return s.filter.Queue
	}
	return "jobs"
}

// waiting waits for jobs and shows their progress.
type waiting struct {
	app  *app
	link *link
	name string
	// group is what the server counts; nil when jobs are only named in pages.
	group *client.WaitFor
	// pages visits the jobs that are waited for; nil: those of group.
	pages func(do func([]client.Ref) error) error

	// delayed finds the jobs that wait to be tried again; nil: they are not told of.
	delayed *client.Filter

	mu       sync.Mutex
	progress *output.Progress
	told     bool   // of jobs that are tried again later
	stuck    bool   // it was told that all that is left is blocked
	tally    *tally // of the failures among named jobs
}

// redraw is how often the bar is drawn when nothing changes, for its times.
const redraw = time.Second

// wait waits and gives the final counts. The group tells of progress; which jobs
// have ended, the pages tell: the group may have jobs of others, or not all.
func (w *waiting) wait(ctx context.Context) (counts job.Counts, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w.progress = output.NewProgress(w.app.err, w.name, w.app.now())
	w.tally = newTally(3)
	defer w.hide()
	go w.tick(ctx)
	if w.pages == nil {
		return w.link.Wait(ctx, *w.group, func(c job.Counts) { w.update(ctx, c) })
	}
	if w.group != nil {
		go func() { _, _ = w.link.Wait(ctx, *w.group, func(c job.Counts) { w.update(ctx, c) }) }() // only for the eye
	}
	err = w.pages(func(page []client.Ref) error {
		c, err := w.page(ctx, page, counts)
		counts.Add(&c)
		return err
	})
	return counts, err
}

// page waits for one page of jobs; before are the counts of the pages before.
func (w *waiting) page(ctx context.Context, page []client.Ref, before job.Counts) (job.Counts, error) {
	c, err := w.link.Wait(ctx, client.WaitFor{Jobs: page}, func(c job.Counts) {
		if w.group == nil {
			c.Add(&before)
			w.update(ctx, c)
		}
	})
	if err != nil || c[job.Buried] == 0 {
		return c, err
	}
	infos, err := w.link.Lookup(ctx, page, client.Detail{})
	for _, i := range infos {
		if i.State == job.Buried {
			w.tally.add(i)
		}
	}
	return c, err
}

// failures are the failed jobs of the pages, grouped.
func (w *waiting) failures(ctx context.Context) ([]client.Outcome, error) {
	return w.tally.examples(ctx, w.link)
}

func (w *waiting) update(ctx context.Context, c job.Counts) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.progress == nil {
		return
	}
	w.progress.Update(c, w.app.now())
	if left := c.Live() - c[job.Buried]; left > 0 && left == c[job.Blocked] && c[job.Buried] > 0 && !w.stuck {
		w.stuck = true
		w.progress.Note("All that is left is blocked and waits for other jobs; \"muster status --state blocked --explain\" tells for which, and whether they failed.")
	}
	only := c[job.Delayed] > 0 && c[job.Delayed] == c.Live()-c[job.Buried]
	if only && !w.told && w.delayed != nil {
		w.told = true
		go w.tellDelayed(ctx)
	}
}

// tellDelayed says why nothing happens when all that is left waits for a retry.
func (w *waiting) tellDelayed(ctx context.Context) {
	f := *w.delayed
	f.States = []string{job.Delayed.String()}
	list, more, err := w.link.Page(ctx, f, client.Detail{}, 3, "")
	if err != nil {
		return // the waiting has the same trouble, and tells
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, i := range list {
		if w.progress != nil && i.Reason != job.ReasonNone {
			w.progress.Note(w.retryNote(i))
		}
	}
	if w.progress != nil && more != "" {
		w.progress.Note("and more.")
	}
}

func (w *waiting) retryNote(i *client.Info) string {
	why := i.Reason.String()
	if i.Exit > 0 {
		why = fmt.Sprintf("exit code %d", i.Exit)
	}
	text := fmt.Sprintf("failed, %s; it is tried again in %s: %s", why, output.Short(i.Due.Sub(w.app.now())), output.Clean(commandText(i)))
	rest := strings.TrimPrefix(w.app.err.Fit(0, text), "failed")
	return w.app.err.Paint(output.Yellow, "failed") + rest
}

func (w *waiting) hide() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.progress.Hide()
	w.progress = nil
}

func (w *waiting) tick(ctx context.Context) {
	t := time.NewTicker(redraw)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		w.mu.Lock()
		if w.progress != nil {
			w.progress.Draw(w.app.now())
		}
		w.mu.Unlock()
	}
}

// conclude says how it ended, and makes failures the exit status.
func (a *app) conclude(c job.Counts, failures func() ([]client.Outcome, error)) error {
	if c[job.Buried] == 0 {
		a.say("%s", a.err.Paint(output.Green, plural(c[job.Complete], "job")+" complete."))
		return nil
	}
	list, err := failures()
	if err != nil {
		return err
	}
	text := a.err.Paint(output.Red, plural(c[job.Buried], "job")+" failed")
	if c[job.Complete] > 0 {
		text += ", " + plural(c[job.Complete], "job") + " complete"
	}
	a.say("%s.", text)
	out := *a
	out.out = a.err // what failed belongs to the messages
	for i := range list {
		a.say("")
		out.printOutcome(&list[i])
	}
	return failed
}
