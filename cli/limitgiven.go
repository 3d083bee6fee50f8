package cli

import (
	"context"
	"strings"

	"github.com/muster-queue/muster/job"
)

// givenLimits are limits that jobs set where they are added, as wr's users do:
// --limit irods:5. The last word counts, and each is sent to the server once.
type givenLimits struct {
	app     *app
	pending []job.Limit
	sent    map[string]string
}

func (g *givenLimits) add(l *job.Limit) { g.pending = append(g.pending, *l) }

// take keeps the limits that flags set, and leaves what jobs carry.
func (g *givenLimits) take(values []string) (uses []string, err error) {
	for _, value := range values {
		for text := range strings.SplitSeq(value, ",") {
			use, set, err := job.ParseLimitGiven(text)
			if err != nil {
				return nil, job.Wrap(err, "", "--limit")
			}
			if uses = append(uses, use.String()); set != nil {
				g.add(set)
			}
		}
	}
	return uses, nil
}

// drop forgets what was read only to see whether it is right.
func (g *givenLimits) drop() { g.pending = nil }

// send sets the limits that are not yet.
func (g *givenLimits) send(ctx context.Context, l *link) error {
	for i := range g.pending {
		limit := &g.pending[i]
		if g.sent[limit.Name] == limit.String() {
			continue
		}
		if err := g.app.giveLimit(ctx, l, limit); err != nil {
			return err
		}
		if g.sent == nil {
			g.sent = map[string]string{}
		}
		g.sent[limit.Name] = limit.String()
	}
	g.pending = g.pending[:0]
	return nil
}

// giveLimit sets what is said of a limit, and leaves what is not.
func (a *app) giveLimit(ctx context.Context, l *link, limit *job.Limit) error {
	if limit.Lifts() {
		err := l.RemoveLimit(ctx, limit.Name)
		if job.IsKind(err, job.NotFound) {
			return nil
		}
		return job.Wrap(err, "lift limit", limit.Name)
	}
	fields := []string{"max", "period"}
	switch {
	case limit.Max == job.AnyNumber:
		fields = []string{"windows"}
	case len(limit.Windows) > 0:
		fields = append(fields, "windows")
	}
	_, err := l.SetLimit(ctx, limit, fields...)
	return job.Wrap(err, "set limit", limit.Name)
}
