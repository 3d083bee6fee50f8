package cli

import (
	"context"
	"path/filepath"

	"github.com/muster-queue/muster/api"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// shortKey is how much of a digest listings show.
const shortKey = 12

// path is a path of the command line, absolute; empty is the present directory.
func (a *app) path(p string) string {
	if filepath.IsAbs(p) {
		return filepath.Clean(p)
	}
	return filepath.Join(a.Dir, p)
}

// digestLike tells keys and ids that are digests, or the beginning of one.
func digestLike(s string, least int) bool {
	if len(s) < least || len(s) > 32 {
		return false
	}
	for _, r := range s {
		if (r < '0' || r > '9') && (r < 'a' || r > 'f') {
			return false
		}
	}
	return true
}

// shortened is a key as listings show it: digests only begin.
func shortened(k job.Key) string {
	text := api.KeyText(k)
	if digestLike(text, 32) {
		return text[:shortKey]
	}
	return text
}

// refOf names a job.
func refOf(i *client.Info) client.Ref { return client.Ref{Queue: i.Queue, Key: i.Key} }

func (s *selection) resolveAll(ctx context.Context, l *link) ([]client.Ref, error) {
	refs := make([]client.Ref, len(s.args))
	for i, arg := range s.args {
		ref, err := resolve(ctx, l, s.filter.Queue, arg)
		if err != nil {
			return nil, err
		}
		refs[i] = ref
	}
	return refs, nil
}

// resolve names the job that a person means, see find.
func resolve(ctx context.Context, l *link, queue, arg string) (client.Ref, error) {
	i, err := find(ctx, l, queue, arg)
	if err != nil {
		return client.Ref{}, err
	}
	return refOf(i), nil
}

// find finds the job that a person means: by its key, by its id, or by the
// beginning of its key when that is enough.
func find(ctx context.Context, l *link, queue, arg string) (*client.Info, error) {
	key, err := api.ParseKey(arg)
	if err != nil {
		return nil, err
	}
	refs := []client.Ref{{Queue: queue, Key: key}}
	if digestLike(arg, 32) {
		refs = append(refs, client.Ref{ID: arg})
	}
	found, err := l.Lookup(ctx, refs, client.Detail{Brief: true})
	if err != nil {
		return nil, err
	}
	if len(found) > 0 {
		return found[0], nil
	}
	return findPrefix(ctx, l, queue, arg)
}

// findPrefix finds the one job whose key begins so.
func findPrefix(ctx context.Context, l *link, queue, prefix string) (*client.Info, error) {
	const least = 4 // a shorter beginning is more likely a mistake
	if len(prefix) < least {
		return nil, job.Errorf(job.NotFound, "there is no job %q", prefix)
	}
	var only *client.Info
	for i, err := range l.List(ctx, client.Filter{Queue: queue, KeyPrefix: prefix}, client.Detail{Brief: true}) {
		switch {
		case err != nil:
			return nil, err
		case only != nil:
			return nil, job.Errorf(job.Invalid, "several jobs begin with %q; write more of the key", prefix)
		}
		only = i
	}
	if only == nil {
		return nil, job.Errorf(job.NotFound, "there is no job whose key is, or begins with, %q", prefix)
	}
	return only, nil
}
