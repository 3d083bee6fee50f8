package lock

import (
	"fmt"
	"time"

	"github.com/RaduBerinde/btreemap"

	"github.com/muster-queue/muster/job"
)

// Lock gives owner all of the paths for the lease, or none: then the error is a
// Conflict that says which is in the way, Exhausted if there are too many locks.
// A path is free when no lock is on it, above it or below it, whosever; those of
// one call are not in each other's way. A lease of zero is DefaultLease, one
// longer than MaxLease is MaxLease, a negative one has ended already.
func (t *Tree) Lock(now job.Time, owner string, paths []Path, lease time.Duration) error {
	if err := t.admit(now, owner, paths); err != nil {
		return err
	}
	for _, p := range paths {
		if h := t.blocker(p); h != nil {
			return job.Wrap(h.refusal(p), "lock", p.subject())
		}
	}
	for _, p := range paths {
		t.give(now, owner, p, lease)
	}
	return nil
}

// LockSome gives owner those of the paths that are free, one after the other, and
// tells which.
func (t *Tree) LockSome(now job.Time, owner string, paths []Path, lease time.Duration) ([]bool, error) {
	if err := t.admit(now, owner, paths); err != nil {
		return nil, err
	}
	given := make([]bool, len(paths))
	for i, p := range paths {
		if given[i] = t.blocker(p) == nil; given[i] {
			t.give(now, owner, p, lease)
		}
	}
	return given, nil
}

// Renew gives owner's locks on exactly these paths a lease from now, or changes
// nothing: then the error is a LostLease that says who holds the path, if anyone.
func (t *Tree) Renew(now job.Time, owner string, paths []Path, lease time.Duration) error {
	if err := t.owned(now, owner, paths); err != nil {
		return job.Wrap(err, "renew", "")
	}
	for _, p := range paths {
		_, h, _ := t.held.Get(p)
		again := Held{Path: p, Owner: owner, Since: now, Until: now.Add(length(lease)), Lease: length(lease)}
		if h != nil && again.Until >= now {
			again.Since = h.Since
		}
		t.set(&again)
	}
	return nil
}

// Unlock releases owner's locks on exactly these paths, or nothing, as Renew.
func (t *Tree) Unlock(now job.Time, owner string, paths []Path) error {
	if err := t.owned(now, owner, paths); err != nil {
		return job.Wrap(err, "unlock", "")
	}
	for _, p := range paths {
		t.release(p)
	}
	return nil
}

// Read tells who holds a lock on exactly each of the paths; nil where nobody does.
func (t *Tree) Read(now job.Time, paths []Path) ([]*Held, error) {
	if err := bounded("", paths); err != nil {
		return nil, err
	}
	t.expire(now)
	found := make([]*Held, len(paths))
	for i, p := range paths {
		if _, h, ok := t.held.Get(p); ok {
			held := *h
			found[i] = &held
		}
	}
	return found, nil
}

// Remove releases the lock on p, whoever holds it, and with below set those
// below it, at most limit; more tells that some are left.
func (t *Tree) Remove(now job.Time, p Path, below bool, limit int) (removed int, more bool) {
	t.expire(now)
	if t.held.Has(p) {
		t.release(p)
		removed++
	}
	if !below {
		return removed, false
	}
	var gone []Path
	for h := range t.under(p) {
		if more = removed+len(gone) >= limit; more {
			break
		}
		gone = append(gone, h.Path)
	}
	for _, q := range gone {
		t.release(q)
	}
	return removed + len(gone), more
}

// List lists the locks on p and below it in the order of paths, at most limit of
// those that follow after (nil: from the first).
func (t *Tree) List(now job.Time, p Path, after *Path, limit int) []Held {
	t.expire(now)
	var page []Held
	if _, h, ok := t.held.Get(p); ok && (after == nil || *after < p) {
		page = append(page, *h)
	}
	from := btreemap.GE(p.below())
	if after != nil && *after >= p.below() {
		from = btreemap.GT(*after)
	}
	for q, h := range t.held.Ascend(from, btreemap.Max[Path]()) {
		if len(page) == limit || !isBelow(q, p) && q != p {
			break
		}
		if q != p {
			page = append(page, *h)
		}
	}
	return page
}

// admit checks a request for new locks and releases what has expired.
func (t *Tree) admit(now job.Time, owner string, paths []Path) error {
	if err := bounded(owner, paths); err != nil {
		return err
	}
	t.expire(now)
	if t.Len()+len(paths) > t.max {
		return job.Errorf(job.Exhausted, "lock %d paths: %d locks are held in this namespace, which may have %d; release some, or remove stale ones", len(paths), t.Len(), t.max)
	}
	return nil
}

// owned checks that owner holds each of the paths.
func (t *Tree) owned(now job.Time, owner string, paths []Path) error {
	if err := bounded(owner, paths); err != nil {
		return err
	}
	for _, p := range paths {
		_, h, ok := t.held.Get(p)
		switch {
		case !ok || h.Until < now:
			return job.Errorf(job.LostLease, "%s is not locked", p.subject())
		case h.Owner != owner:
			return job.Errorf(job.LostLease, "%s is held by %q, not by %q", p.subject(), h.Owner, owner)
		}
	}
	return nil
}

func (t *Tree) give(now job.Time, owner string, p Path, lease time.Duration) {
	lease = length(lease)
	t.set(&Held{Path: p, Owner: owner, Since: now, Until: now.Add(lease), Lease: lease})
}

func bounded(owner string, paths []Path) error {
	if len(owner) > MaxOwner {
		return job.Errorf(job.Invalid, "owner: %d bytes; at most %d", len(owner), MaxOwner)
	}
	if len(paths) > MaxPaths {
		return job.Errorf(job.Invalid, "%d paths in one request for locks; at most %d", len(paths), MaxPaths)
	}
	return nil
}

// refusal is why p cannot be locked while h is held.
func (h *Held) refusal(p Path) error {
	switch {
	case h.Path == p:
		return job.Errorf(job.Conflict, "not lockable: %q holds it", h.Owner)
	case isBelow(h.Path, p):
		return job.Errorf(job.Conflict, "not lockable: %q holds %s below it", h.Owner, h.Path.subject())
	}
	return job.Errorf(job.Conflict, "not lockable: %q holds %s above it", h.Owner, h.Path.subject())
}

// subject is how messages name the path.
func (p Path) subject() string {
	if p == "" {
		return "the root"
	}
	return fmt.Sprintf("%q", string(p))
}
