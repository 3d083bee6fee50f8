package jobqueue

import (
	"context"
	"slices"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// Kick makes buried jobs ready again, with all their retries, and tells how many
// those were of the pairs of command and directory (or "" and key) given.
func (c *Client) Kick(ccs [][2]string) (kicked int, err error) {
	return c.change("Kick", ccs, c.ns.Kick)
}

// Delete removes buried jobs, and tells how many those were of the pairs of command
// and directory (or "" and key) given.
func (c *Client) Delete(ccs [][2]string) (deleted int, err error) {
	return c.change("Delete", ccs, func(ctx context.Context, s client.Selection) (client.Change, error) {
		return c.ns.Delete(ctx, s, client.DeleteOptions{})
	})
}

type changing func(context.Context, client.Selection) (client.Change, error)

func (c *Client) change(op string, ccs [][2]string, do changing) (changed int, err error) {
	list, err := c.lookup(op, ccs)
	if err != nil {
		return 0, err
	}
	var buried []client.Ref
	for _, i := range list {
		if i.State == job.Buried {
			buried = append(buried, client.Ref{Queue: i.Queue, Key: i.Key})
		}
	}
	for some := range slices.Chunk(buried, lookupMax) {
		err := c.ask(op, "", func(ctx context.Context) error {
			r, err := do(ctx, client.Select(some...))
			changed += int(r.Changed)
			return err
		})
		if err != nil {
			return changed, err
		}
	}
	return changed, nil
}
