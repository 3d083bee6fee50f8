package engine

import (
	"sync"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/store"
)

// payloads reads descriptions for grants. Jobs are mostly granted in the order
// they were added, so a miss reads a range ahead into a small cache; there is
// never one disk read a grant. Many at once are a range by themselves.
type payloads struct {
	store store.Namespace

	mu   sync.Mutex
	kept map[job.PayloadRef][]byte
	size int
	max  int
}

// Bounds of one read-ahead.
const (
	readAheadJobs  = 128
	readAheadBytes = 512 << 10
	// exactJobs is from how many jobs on those are read and no others.
	exactJobs = 32
)

func newPayloads(ns store.Namespace, max int) *payloads {
	return &payloads{store: ns, kept: map[job.PayloadRef][]byte{}, max: max}
}

// take returns the bodies of the refs, in their order, and forgets them: a job
// is granted once at a time. The body of one that is not stored any more is nil.
func (p *payloads) take(refs []job.PayloadRef) ([][]byte, error) {
	bodies := make([][]byte, len(refs))
	missing := p.cached(refs, bodies)
	if len(missing) == 0 {
		return bodies, nil
	}
	if len(missing) < exactJobs {
		first := refs[missing[0]].Seq
		ahead, err := p.store.PayloadsFrom(first, readAheadJobs, readAheadBytes)
		if err != nil {
			return nil, job.Wrap(err, "read descriptions from", "")
		}
		p.keep(ahead)
		missing = p.cached(refs, bodies)
	}
	return bodies, p.fetch(refs, missing, bodies)
}

// fetch reads the rest one by one, as a range where they are neighbours.
func (p *payloads) fetch(refs []job.PayloadRef, missing []int, bodies [][]byte) error {
	if len(missing) == 0 {
		return nil
	}
	want := make([]job.PayloadRef, len(missing))
	for i, m := range missing {
		want[i] = refs[m]
	}
	got, err := p.store.Payloads(want)
	if err != nil {
		return job.Wrap(err, "read descriptions", "")
	}
	for i, m := range missing {
		bodies[m] = got[i].Body
	}
	return nil
}

// cached fills bodies from the cache and returns the indexes it has not.
func (p *payloads) cached(refs []job.PayloadRef, bodies [][]byte) []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	var missing []int
	for i, ref := range refs {
		if bodies[i] != nil {
			continue
		}
		body, ok := p.kept[ref]
		if !ok {
			missing = append(missing, i)
			continue
		}
		bodies[i] = body
		delete(p.kept, ref)
		p.size -= len(body)
	}
	return missing
}

// keep remembers bodies read ahead; when there is no room the old ones go, all
// at once: what was not granted soon after being read will be read again.
func (p *payloads) keep(ahead []job.Payload) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range ahead {
		if p.size+len(a.Body) > p.max {
			clear(p.kept)
			p.size = 0
		}
		ref := job.PayloadRef{Seq: a.Seq, Version: a.Version}
		if _, ok := p.kept[ref]; !ok {
			p.kept[ref] = a.Body
			p.size += len(a.Body)
		}
	}
}
