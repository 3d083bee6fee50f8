package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/muster-queue/muster/cli/output"
	"github.com/muster-queue/muster/client"
)

// explained is how many jobs --explain speaks of when nobody says.
const explained = 10

// showExplanations says of jobs why they are not running.
func (s *status) showExplanations(ctx context.Context, l *link) error {
	if !s.fine() {
		s.filter.States = []string{"live"}
	}
	limit := s.limit
	if limit == 0 && s.app.table() {
		limit = explained
	}
	list, err := s.app.listing(output.Column{Name: "job"}, output.Column{Name: "state"}, output.Column{Name: "summary"},
		output.Column{Name: "ahead"}, output.Column{Name: "obstacles"}, output.Column{Name: "id"})
	if err != nil {
		return err
	}
	n := 0
	for i, err := range s.selected(ctx, l, client.Detail{}) {
		if err != nil {
			return err
		}
		if n++; limit > 0 && n > limit {
			s.app.say("These are the first %d; --limit N shows more.", limit)
			break
		}
		if err := s.explainOne(ctx, l, i, list); err != nil {
			return err
		}
	}
	if n > 0 {
		return list.Close()
	}
	return errors.Join(list.Close(), s.sayNone(ctx, l))
}

func (s *status) explainOne(ctx context.Context, l *link, i *client.Info, list *output.Listing) error {
	e, err := l.Explain(ctx, refOf(i))
	if err != nil {
		return err
	}
	if !s.app.table() {
		words := make([]string, len(e.Obstacles))
		for n, o := range e.Obstacles {
			words[n] = o.Word
		}
		return list.Row(shortened(i.Key), output.State(e.State.String()), e.Summary, e.Ahead, words, i.ID)
	}
	out := s.app.out
	s.app.printCommand("", i)
	fmt.Fprintf(out, "  %s\n", output.Clean(e.Summary))
	for _, o := range e.Obstacles {
		if saysIt(e.Summary, o.Text) {
			continue
		}
		until := ""
		if !o.Until.IsZero() {
			until = ", for another " + output.Short(o.Until.Sub(s.app.now()))
		}
		fmt.Fprintf(out, "  - %s%s\n", output.Clean(o.Text), until)
	}
	if e.Ahead > 0 {
		fmt.Fprintf(out, "  %s before it\n", plural(e.Ahead, "job"))
	}
	return nil
}

// saysIt reports whether a summary is what an obstacle says, maybe with more behind it.
func saysIt(summary, obstacle string) bool {
	return summary == obstacle || strings.HasPrefix(summary, strings.TrimSuffix(obstacle, ".")+". ")
}
