package pebble

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/store"
	"github.com/muster-queue/muster/store/memory"
	"github.com/muster-queue/muster/store/storetest"
)

// script is a sequence of commits like a busy namespace makes, for the tests that
// break things: after the break, the store must hold what some number of them
// made, no fewer than were acknowledged.
type script struct {
	turns []*job.Changes
	seqs  job.Seq
}

// newScript makes n turns of everything that can be committed. The number of a
// turn is in Meta.Clock.
func newScript(seed uint64, n int) *script {
	rng := rand.New(rand.NewPCG(seed, 0))
	s := &script{}
	m := maker{rng: rng, live: map[job.Seq]job.Live{}}
	for i := range n {
		s.turns = append(s.turns, m.turn(i+1))
	}
	s.seqs = m.seq
	return s
}

type maker struct {
	rng  *rand.Rand
	seq  job.Seq
	end  uint64
	live map[job.Seq]job.Live
	done []job.Finished
}

func (m *maker) turn(number int) *job.Changes {
	c := &job.Changes{}
	for range 1 + m.rng.IntN(20) {
		m.seq++
		m.live[m.seq] = storetest.Job(m.seq)
		c.Live = append(c.Live, m.live[m.seq])
		if keyed(m.seq) {
			c.Keys = append(c.Keys, job.KeyRow{Seq: m.seq, Key: keyOf(m.seq)})
		}
		c.Payloads = append(c.Payloads, job.Payload{Seq: m.seq, Version: 1, Body: m.body()})
	}
	seqs := make([]job.Seq, 0, len(m.live))
	for seq := range m.live {
		seqs = append(seqs, seq)
	}
	slices.Sort(seqs)
	for _, seq := range seqs {
		m.advance(c, seq)
	}
	for len(m.done) > 60 {
		c.Forgotten = append(c.Forgotten, m.done[0])
		c.Deleted = append(c.Deleted, m.done[0].Seq)
		m.done = m.done[1:]
	}
	id := fmt.Sprint(number)
	c.Requests = []job.Request{{Client: "c", ID: id, At: 5, Outcome: []byte(id)}, {Client: "c", ID: fmt.Sprint(number - 9), Gone: true}}
	c.Queues = []job.QueueRow{{ID: 1, Done: int64(number), Def: job.Queue{Name: "q"}}}
	if m.rng.IntN(8) == 0 {
		c.Blobs = []job.Blob{storetest.BlobOf(m.bytes(70 << 10))}
	}
	c.Meta = &job.Meta{Clock: job.Time(number), NextSeq: m.seq + 1, NextEnd: m.end + 1}
	return c
}

// keyed are the jobs in a queue that is ordered by key; keyOf is in another order
// than the numbers.
func keyed(seq job.Seq) bool    { return seq%2 == 0 }
func keyOf(seq job.Seq) job.Key { return job.Key(fmt.Sprintf("key %03d\xff", seq*7%1000)) }

// advance lets a live job go on, or not.
func (m *maker) advance(c *job.Changes, seq job.Seq) {
	live := m.live[seq]
	switch m.rng.IntN(6) {
	case 0:
		live.Number++
		live.State = job.Running
		m.live[seq] = live
		if !slices.ContainsFunc(c.Live, func(l job.Live) bool { return l.Seq == seq }) {
			c.Live = append(c.Live, live)
		}
	case 1:
		m.end++
		c.Gone = append(c.Gone, seq)
		if keyed(seq) {
			c.Keys = append(c.Keys, job.KeyRow{Seq: seq, Gone: true})
			c.Finished = append(c.Finished, storetest.Keyed(m.end, live, 1, keyOf(seq)))
		} else {
			c.Finished = append(c.Finished, storetest.End(m.end, live))
		}
		c.Attempts = append(c.Attempts, job.AttemptRow{Seq: seq, Attempt: job.Attempt{Number: live.Number, Host: "h"}})
		m.done = append(m.done, c.Finished[len(c.Finished)-1])
		delete(m.live, seq)
	}
}

// body is mostly small, sometimes large enough for a file.
func (m *maker) body() []byte {
	if m.rng.IntN(100) == 0 {
		return m.bytes(65<<10 + m.rng.IntN(5000))
	}
	return m.bytes(m.rng.IntN(3000))
}

func (m *maker) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(m.rng.Uint32())
	}
	return b
}

// after is the state that the first n turns make.
func (s *script) after(t *testing.T, n int) store.Namespace {
	t.Helper()
	m := memory.New()
	if err := m.Create(t.Context(), "default"); err != nil {
		t.Fatal(err)
	}
	ns, err := m.Open(t.Context(), "default")
	if err != nil {
		t.Fatal(err)
	}
	if err := ns.Load(t.Context(), &storetest.Contents{}); err != nil {
		t.Fatal(err)
	}
	for _, c := range s.turns[:n] {
		mustCommit(t, ns, c)
	}
	return ns
}

// state is everything that can be read of a namespace.
type state struct {
	Contents storetest.Contents
	Payloads []job.Payload
	Attempts []job.AttemptRow
	History  []job.Finished
	ByKey    []job.Finished
	Requests []job.Request
	Blobs    []string
}

// read reads everything.
func (s *script) read(ns store.Namespace) (st state, err error) {
	// The jobs that are loaded as finished depend on the index.
	var refs []job.PayloadRef
	for seq := job.Seq(1); seq <= s.seqs; seq++ {
		refs = append(refs, job.PayloadRef{Seq: seq, Version: 1})
		rows, err := ns.Attempts(seq)
		if err != nil {
			return st, err
		}
		st.Attempts = append(st.Attempts, rows...)
	}
	if st.Payloads, err = ns.Payloads(refs); err != nil {
		return st, err
	}
	if err := ns.History(0, 0, func(f *job.Finished) bool { st.History = append(st.History, *f); return true }); err != nil {
		return st, err
	}
	if st.ByKey, err = ns.FinishedByKey(1, nil, 1<<20); err != nil {
		return st, err
	}
	return st, s.readRest(ns, &st)
}

func (s *script) readRest(ns store.Namespace, st *state) error {
	for i, c := range s.turns {
		r, found, err := ns.Request("c", fmt.Sprint(i+1))
		if err != nil {
			return err
		}
		if found {
			st.Requests = append(st.Requests, r)
		}
		for _, b := range c.Blobs {
			has, err := ns.HasBlob(b.Digest)
			if err != nil {
				return err
			}
			if !has {
				continue
			}
			if _, err := ns.Blob(b.Digest); err != nil {
				return err
			}
			st.Blobs = append(st.Blobs, b.Digest)
		}
	}
	return nil
}

// verify loads a namespace and checks that it holds what the first turns made,
// at least the given number of them. It returns their number.
func (s *script) verify(t *testing.T, ns store.Namespace, atLeast int) int {
	t.Helper()
	got, err := s.load(t, ns)
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	n := int(got.Contents.Meta.Clock)
	if n < atLeast {
		t.Fatalf("the store holds %d turns, but %d were acknowledged", n, atLeast)
	}
	want, err := s.load(t, s.after(t, n))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.EqualFunc(got.Payloads, want.Payloads, func(a, b job.Payload) bool { return string(a.Body) == string(b.Body) }) {
		for i := range want.Payloads {
			if string(got.Payloads[i].Body) != string(want.Payloads[i].Body) {
				t.Errorf("description of job %d: %d bytes, want %d", want.Payloads[i].Seq, len(got.Payloads[i].Body), len(want.Payloads[i].Body))
			}
		}
		t.Fatalf("after %d turns the descriptions are not those that were stored", n)
	}
	got.Payloads, want.Payloads = nil, nil
	opts := []cmp.Option{cmpopts.IgnoreUnexported(storetest.Contents{}), cmpopts.IgnoreFields(storetest.Contents{}, "Finished"), cmpopts.IgnoreFields(job.Meta{}, "Epoch")}
	if diff := cmp.Diff(want, got, opts...); diff != "" {
		t.Fatalf("after %d turns (-want +got):\n%s", n, diff)
	}
	return n
}

func (s *script) load(t *testing.T, ns store.Namespace) (state, error) {
	var c storetest.Contents
	if err := ns.Load(t.Context(), &c); err != nil {
		return state{}, err
	}
	st, err := s.read(ns)
	st.Contents = c
	return st, err
}
