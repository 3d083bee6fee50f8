package agent

import (
	"context"
	"sync"

	"golang.org/x/sync/singleflight"

	"github.com/muster-queue/muster/client"
)

// environments fetches captured environments, once per distinct content.
type environments struct {
	ns    *client.Namespace
	calls singleflight.Group

	mu   sync.Mutex
	kept map[string][]string
}

// maxEnvironments bounds how many are kept; a batch has one or a few.
const maxEnvironments = 64

func newEnvironments(c *client.Client, namespace string) *environments {
	return &environments{ns: c.Namespace(namespace), kept: map[string][]string{}}
}

// get is the environment of that digest; nil, the agent's own, for none.
func (e *environments) get(ctx context.Context, digest string) ([]string, error) {
	if digest == "" {
		return nil, nil
	}
	e.mu.Lock()
	env, ok := e.kept[digest]
	e.mu.Unlock()
	if ok {
		return env, nil
	}
	v, err, _ := e.calls.Do(digest, func() (any, error) { return e.ns.Environment(ctx, digest) })
	if err != nil {
		return nil, err
	}
	env = v.([]string)
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.kept) >= maxEnvironments {
		clear(e.kept)
	}
	e.kept[digest] = env
	return env, nil
}
