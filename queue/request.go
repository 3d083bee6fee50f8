package queue

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/muster-queue/muster/job"
)

// requests remember the outcomes of mutations that carried a request id, each
// client's last few, for a while. The store has them too: after a restart the
// engine looks there for what is not found here.
type requests struct {
	known   map[requestKey]request
	clients map[string][]string // ids of a client, oldest first
	order   []requestKey        // about oldest first
}

type requestKey struct{ client, id string }

type request struct {
	until   job.Time
	outcome []byte
}

func (q *requests) init() {
	q.known, q.clients = map[requestKey]request{}, map[string][]string{}
}

func (q *requests) next() (job.Time, bool) {
	if len(q.order) == 0 {
		return 0, false
	}
	return q.known[q.order[0]].until, true
}

// Remember keeps the outcome of a client's request, to be stored with what the
// request changed. The client's oldest one gives way when it has too many.
func (s *State) Remember(client, id string, outcome []byte) {
	q, key := &s.requests, requestKey{client, id}
	if _, again := q.known[key]; !again {
		if ids := q.clients[client]; len(ids) >= s.cfg.RequestsPerClient {
			s.forgetRequest(requestKey{client, ids[0]})
		}
		q.clients[client] = append(q.clients[client], id)
		q.order = append(q.order, key)
	}
	q.known[key] = request{s.now.Add(s.cfg.RequestKeep), outcome}
	s.turn.requests = append(s.turn.requests, job.Request{Client: client, ID: id, At: s.now, Outcome: outcome})
}

// Recall finds the outcome of a client's request made since the load.
func (s *State) Recall(client, id string) ([]byte, bool) {
	r, ok := s.requests.known[requestKey{client, id}]
	return r.outcome, ok
}

func (s *State) forgetRequest(key requestKey) {
	q := &s.requests
	delete(q.known, key)
	ids := q.clients[key.client]
	if i := slices.Index(ids, key.id); i >= 0 {
		ids = slices.Delete(ids, i, i+1)
	}
	if q.clients[key.client] = ids; len(ids) == 0 {
		delete(q.clients, key.client)
	}
	s.turn.requests = append(s.turn.requests, job.Request{Client: key.client, ID: key.id, Gone: true})
}

// expireRequest looks at the request that is first in order, if it is due: it is
// forgotten, or, remembered anew meanwhile, sent to the end.
func (s *State) expireRequest() bool {
	q := &s.requests
	at, any := q.next()
	if !any || at > s.now && at != 0 {
		return false
	}
	key := q.order[0]
	q.order = q.order[1:]
	if at != 0 { // 0: it gave way before
		s.forgetRequest(key)
	}
	return true
}

// ReserveClient and ReserveID are under what client and id a reserve session's
// last grants are stored, see DecodeReserve.
const (
	ReserveClient = "reserve/"
	ReserveID     = "last"
)

// KeepReserve remembers what a reserve session's request was given, in the place
// of its earlier one.
func (s *State) KeepReserve(session string, sequence uint64, grants []Grant) {
	s.Remember(ReserveClient+session, ReserveID, encodeReserve(sequence, grants))
}

// RepeatReserve finds what a reserve session's request was given; repeated is
// false for a new sequence. known is false if the session's last request, should
// there be one, was before the load.
func (s *State) RepeatReserve(session string, sequence uint64) (grants []Grant, repeated, known bool) {
	outcome, known := s.Recall(ReserveClient+session, ReserveID)
	if !known || !isReserve(outcome, sequence) {
		return nil, false, known // as nearly always: the grants need not be read
	}
	_, grants, err := DecodeReserve(outcome)
	return grants, err == nil, true
}

// isReserve reports whether b is what KeepReserve stored of that request.
func isReserve(b []byte, sequence uint64) bool {
	if len(b) < 2 || b[0] != 1 {
		return false
	}
	last, n := binary.Uvarint(b[1:])
	return n > 0 && last == sequence
}

func encodeReserve(sequence uint64, grants []Grant) []byte {
	b := binary.AppendUvarint([]byte{1}, sequence)
	for i := range grants {
		g := &grants[i]
		for _, v := range [...]uint64{
			uint64(g.Seq), uint64(g.Attempt.Epoch), g.Attempt.N, uint64(g.Number), uint64(g.Version), uint64(g.Size),
			uint64(g.Queue), uint64(g.Shape), uint64(g.Lease), uint64(g.Deadline), uint64(bit(g.Prefetched)),
		} {
			b = binary.AppendUvarint(b, v)
		}
	}
	return b
}

// DecodeReserve reads what KeepReserve stored. The error is Damaged.
func DecodeReserve(b []byte) (sequence uint64, grants []Grant, err error) {
	if len(b) < 2 || b[0] != 1 {
		return 0, nil, job.Errorf(job.Damaged, "the stored outcome of a reserve is of an unknown format")
	}
	var bad bool
	next := func() uint64 {
		v, n := binary.Uvarint(b)
		if bad = bad || n <= 0; bad {
			return 0
		}
		b = b[n:]
		return v
	}
	b = b[1:]
	for sequence = next(); len(b) > 0 && !bad; {
		grants = append(grants, Grant{
			Ref:    Ref{job.Seq(next()), job.AttemptID{Epoch: uint32(next()), N: next()}},
			Number: uint32(next()), Version: uint32(next()), Size: uint32(next()),
			Queue: job.QueueID(next()), Shape: job.ShapeID(next()),
			Lease: time.Duration(next()), Deadline: job.Time(next()), Prefetched: next() == 1,
		})
	}
	if bad {
		return 0, nil, job.Errorf(job.Damaged, "the stored outcome of a reserve is cut short")
	}
	return sequence, grants, nil
}
