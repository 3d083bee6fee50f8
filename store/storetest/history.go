package storetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/store"
)

// finish completes the jobs from..to, end numbers like sequence numbers.
func finish(t *testing.T, ns store.Namespace, from, to job.Seq) []job.Finished {
	t.Helper()
	var all []job.Finished
	for seq := from; seq <= to; seq++ {
		live := Job(seq)
		live.Group = job.GroupID(seq % 3)
		all = append(all, End(uint64(seq), live))
	}
	c := &job.Changes{Finished: all}
	for _, f := range all {
		c.Gone = append(c.Gone, f.Seq)
	}
	commit(t, ns, c)
	return all
}

func testFind(t *testing.T, f Factory) {
	s, ns := open(t, f)
	all := finish(t, ns, 1, 100)
	index(t, f, s)
	check := func() {
		t.Helper()
		digests := []job.Digest{{}, {255}}
		want := []uint64{0, 0}
		for i := range all {
			digests, want = append(digests, all[len(all)-1-i].Digest), append(want, all[len(all)-1-i].End)
		}
		got := slices.Repeat([]uint64{77}, len(want))
		ok(t, ns.FindMany(digests, got))
		same(t, "ends", got, want)
		for i, d := range digests {
			end, found, err := ns.Find(d)
			ok(t, err)
			if end != want[i] || found != (want[i] != 0) {
				t.Fatalf("Find: %d %v, want %d", end, found, want[i])
			}
		}
	}
	check()
	s, ns = reopen(t, f, s, ns)
	check()
	finish(t, ns, 101, 101)
	index(t, f, s)
	check()
}

// testFindAgain: a key that finished twice is found where it finished last.
func testFindAgain(t *testing.T, f Factory) {
	s, ns := open(t, f)
	first, second := End(1, Job(5)), End(9, Job(5))
	commit(t, ns, &job.Changes{Finished: []job.Finished{first}})
	index(t, f, s)
	commit(t, ns, &job.Changes{Finished: []job.Finished{second}})
	index(t, f, s)
	find := func(want uint64) {
		t.Helper()
		end, _, err := ns.Find(first.Digest)
		ok(t, err)
		same(t, "end", end, want)
	}
	find(9)
	commit(t, ns, &job.Changes{Forgotten: []job.Finished{second}})
	find(1)
	commit(t, ns, &job.Changes{Forgotten: []job.Finished{first}})
	find(0)
	_, ns = reopen(t, f, s, ns)
	find(0)
}

// testReach: what Find does not know, Load tells.
func testReach(t *testing.T, f Factory) {
	s, ns := open(t, f)
	finish(t, ns, 1, 50)
	index(t, f, s)
	same(t, "reach", ns.Reach(), uint64(51))
	if got := Load(t, ns).Finished; len(got) != 0 {
		t.Fatalf("%d finished jobs are loaded although they are found", len(got))
	}
	all := finish(t, ns, 51, 80)
	_, ns = reopen(t, f, s, ns)
	got := Load(t, ns)
	loaded := map[uint64]bool{}
	for _, fin := range got.Finished {
		loaded[fin.End] = true
	}
	for _, fin := range all {
		_, found, err := ns.Find(fin.Digest)
		ok(t, err)
		if !found && !loaded[fin.End] {
			t.Fatalf("job %d is neither found nor loaded", fin.Seq)
		}
	}
}

func testHistory(t *testing.T, f Factory) {
	s, ns := open(t, f)
	all := finish(t, ns, 1, 200)
	_, ns = reopen(t, f, s, ns)
	for _, want := range []job.Finished{all[0], all[99], all[199]} {
		got, err := ns.Finished(want.End)
		ok(t, err)
		same(t, "history record", got, want)
	}
	_, err := ns.Finished(201)
	fails(t, "a history record that is absent", err, job.NotFound)
	slices.Reverse(all)
	same(t, "history", visit(t, ns, 0, 0, 1000), all)
	same(t, "history before 100", visit(t, ns, 100, 0, 1000), all[101:])
	same(t, "ten of history", visit(t, ns, 0, 0, 10), all[:10])
	same(t, "history before 1", visit(t, ns, 1, 0, 10), []job.Finished(nil))
}

// visit collects history, at most n.
func visit(t *testing.T, ns store.Namespace, before uint64, group job.GroupID, n int) []job.Finished {
	t.Helper()
	var got []job.Finished
	ok(t, ns.History(before, group, func(f *job.Finished) bool {
		got = append(got, *f)
		return len(got) < n
	}))
	return got
}

func testHistoryByGroup(t *testing.T, f Factory) {
	s, ns := open(t, f)
	all := finish(t, ns, 1, 100)
	index(t, f, s)
	all = append(all, finish(t, ns, 101, 150)...) // some are perhaps not indexed
	slices.Reverse(all)
	for group := job.GroupID(1); group <= 3; group++ {
		want := slices.DeleteFunc(slices.Clone(all), func(f job.Finished) bool { return f.Group != group })
		if group == 3 {
			want = nil
		}
		same(t, fmt.Sprint("history of group ", group), visit(t, ns, 0, group, 1000), want)
		if group == 3 {
			continue
		}
		// Page by page, as a listing does.
		var pages []job.Finished
		before := uint64(0)
		for {
			page := visit(t, ns, before, group, 7)
			pages = append(pages, page...)
			if len(page) < 7 {
				break
			}
			before = page[len(page)-1].End
		}
		same(t, "history by pages", pages, want)
	}
}

func testAttempts(t *testing.T, f Factory) {
	s, ns := open(t, f)
	var rows []job.AttemptRow
	for n := uint32(1); n <= 300; n += 50 {
		rows = append(rows, job.AttemptRow{Seq: 7, Attempt: job.Attempt{
			ID: job.AttemptID{Epoch: 1, N: uint64(n)}, Number: n, Version: 1, Worker: "w", Host: "h", Granted: day, Started: day, Ended: day,
			Outcome: job.OutcomeReleased, Result: job.Result{Exited: true, ExitCode: 3, Reason: job.ReasonExit, Log: []string{"line"},
				Stdout: job.Output{Head: []byte("head"), Omitted: 3}}, Data: []byte{1},
		}})
	}
	for i := len(rows) - 1; i >= 0; i-- { // they come back in order all the same
		commit(t, ns, &job.Changes{Attempts: rows[i : i+1]})
	}
	commit(t, ns, &job.Changes{Attempts: []job.AttemptRow{{Seq: 8, Attempt: job.Attempt{Number: 1}}}})
	_, ns = reopen(t, f, s, ns)
	got, err := ns.Attempts(7)
	ok(t, err)
	same(t, "attempts", got, rows)
	got, err = ns.Attempts(6)
	ok(t, err)
	same(t, "attempts of a job without", len(got), 0)
	commit(t, ns, &job.Changes{OldAttempts: []job.AttemptRef{{Seq: 7, Number: 1}, {Seq: 7, Number: 101}, {Seq: 7, Number: 2}, {Seq: 9, Number: 1}}})
	got, err = ns.Attempts(7)
	ok(t, err)
	same(t, "attempts that are left", got, append(rows[1:2:2], rows[3:]...))
	got, err = ns.AttemptRows([]job.AttemptRef{{Seq: 7, Number: 1}, {Seq: 7, Number: 51}})
	ok(t, err)
	same(t, "attempts by number", []uint32{got[0].Number, got[1].Number}, []uint32{0, 51})
}

func testRequests(t *testing.T, f Factory) {
	s, ns := open(t, f)
	commit(t, ns, &job.Changes{Requests: []job.Request{
		{Client: "a", ID: "bc", At: 5, Outcome: []byte("one")}, {Client: "ab", ID: "c", At: 6, Outcome: []byte("two")}, {Client: "", ID: "abc", At: 7},
	}})
	s, ns = reopen(t, f, s, ns)
	got, found, err := ns.Request("a", "bc")
	ok(t, err)
	same(t, "request", got, job.Request{Client: "a", ID: "bc", At: 5, Outcome: []byte("one")})
	same(t, "found", found, true)
	got, _, err = ns.Request("ab", "c")
	ok(t, err)
	same(t, "request", string(got.Outcome), "two")
	commit(t, ns, &job.Changes{Requests: []job.Request{{Client: "a", ID: "bc", Gone: true}}})
	_, ns = reopen(t, f, s, ns)
	_, found, err = ns.Request("a", "bc")
	ok(t, err)
	same(t, "found after it went", found, false)
	_, found, err = ns.Request("", "abc")
	ok(t, err)
	same(t, "found", found, true)
}

// testNothingStays: forgotten and deleted jobs leave nothing behind.
func testNothingStays(t *testing.T, f Factory) {
	s, ns := open(t, f)
	stored := func() int {
		if f.Stored == nil {
			return 0
		}
		return f.Stored(t, s)
	}
	before := stored()
	var all []job.Finished
	for _, n := range []job.Seq{3, 500} { // few neighbours and many
		c := &job.Changes{}
		for i := range n {
			seq := n + i
			c.Payloads = append(c.Payloads, description(seq, 1, 10), description(seq, 2, 70<<10*int(1-min(i, 1))+1))
			c.Attempts = append(c.Attempts, job.AttemptRow{Seq: seq, Attempt: job.Attempt{Number: 1}}, job.AttemptRow{Seq: seq, Attempt: job.Attempt{Number: 40}})
			c.Finished = append(c.Finished, End(uint64(seq), Job(seq)))
		}
		commit(t, ns, c)
		all = append(all, c.Finished...)
	}
	index(t, f, s)
	s, ns = reopen(t, f, s, ns)
	gone := &job.Changes{Forgotten: all}
	for _, fin := range all {
		gone.Deleted = append(gone.Deleted, fin.Seq)
	}
	// A job that comes and goes in one turn leaves nothing either.
	gone.Payloads = []job.Payload{description(9000, 1, 10), description(9000, 2, 70<<10)}
	gone.Attempts = []job.AttemptRow{{Seq: 9000, Attempt: job.Attempt{Number: 1}}}
	gone.Deleted = append(gone.Deleted, 9000)
	slices.Reverse(gone.Deleted)
	commit(t, ns, gone)
	for _, fin := range all {
		if _, found, err := ns.Find(fin.Digest); found || err != nil {
			t.Fatalf("job %d is still found (%v)", fin.Seq, err)
		}
		if rows, err := ns.Attempts(fin.Seq); len(rows) > 0 || err != nil {
			t.Fatalf("job %d still has attempts (%v)", fin.Seq, err)
		}
	}
	same(t, "history", len(visit(t, ns, 0, 0, 10)), 0)
	same(t, "history by group", len(visit(t, ns, 0, 2, 10)), 0)
	p, err := ns.PayloadsFrom(0, 10, 1000)
	ok(t, err)
	same(t, "descriptions", len(p), 0)
	index(t, f, s)
	// The epoch and the reach of the index may stay.
	if after := stored(); after > before+2 {
		t.Fatalf("%d records are stored where there were %d", after, before)
	}
}
