package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/muster-queue/muster/job"
)

// Keyed is the history record of a job of a queue that is ordered by key.
func Keyed(end uint64, live job.Live, queue job.QueueID, key job.Key) job.Finished {
	f := End(end, live)
	f.Queue, f.Keyed, f.Key = queue, true, key
	return f
}

// oddKeys are keys that are easily taken for others.
var oddKeys = []job.Key{"", "\x00", "\x00\x00", "a", "a\x00", "aa", "ab", "b", "\xff", "\xff\xff", "ü", job.Key(strings.Repeat("k", job.MaxKey))}

func testLiveKeys(t *testing.T, f Factory) {
	s, ns := open(t, f)
	c := &job.Changes{}
	var want []job.KeyRow
	for i, key := range oddKeys {
		seq := job.Seq(i + 1)
		c.Live = append(c.Live, Job(seq))
		c.Keys = append(c.Keys, job.KeyRow{Seq: seq, Key: "earlier"}, job.KeyRow{Seq: seq, Key: key})
		want = append(want, job.KeyRow{Seq: seq, Key: key})
	}
	commit(t, ns, c)
	_, ns = reopen(t, f, s, ns)
	same(t, "keys", Load(t, ns).Keys, want)
	gone := &job.Changes{Gone: []job.Seq{1, 4}, Keys: []job.KeyRow{{Seq: 1, Gone: true}, {Seq: 4, Gone: true}, {Seq: 2, Gone: true}, {Seq: 2, Key: "again"}, {Seq: 99, Gone: true}}}
	commit(t, ns, gone)
	want[1].Key = "again"
	left := append([]job.KeyRow{want[1], want[2]}, want[4:]...)
	same(t, "keys", Load(t, ns).Keys, left)
	gone = &job.Changes{Meta: &job.Meta{MinLive: 5, NextSeq: 99}, Gone: []job.Seq{2, 3}, Keys: []job.KeyRow{{Seq: 2, Gone: true}, {Seq: 3, Gone: true}}}
	commit(t, ns, gone)
	same(t, "keys from the first live job on", Load(t, ns).Keys, left[2:])
}

func testFinishedByKey(t *testing.T, f Factory) {
	s, ns := open(t, f)
	want := map[job.Key]job.Finished{}
	end, seq := uint64(0), job.Seq(0)
	rng := rand.New(rand.NewPCG(3, 4))
	keys := slices.Clone(oddKeys)
	for i := range 60 {
		keys = append(keys, job.Key(fmt.Sprintf("a long common beginning %03d", i)))
	}
	for range 40 {
		c := &job.Changes{}
		for _, i := range rng.Perm(len(keys))[:10] {
			key := keys[i]
			old, there := want[key]
			if there {
				c.Forgotten = append(c.Forgotten, old)
				delete(want, key)
			}
			if there && rng.IntN(3) == 0 {
				c.Deleted = append(c.Deleted, old.Seq)
				continue
			}
			end, seq = end+1, seq+1
			if there {
				seq = old.Seq // it ran again, in the same turn
			}
			want[key] = Keyed(end, Job(seq), 7, key)
			c.Finished = append(c.Finished, want[key])
		}
		end++
		c.Finished = append(c.Finished, Keyed(end, Job(1000+job.Seq(end)), 8, "of another queue"))
		commit(t, ns, c)
	}
	checkByKey(t, ns.FinishedByKey, 7, want)
	index(t, f, s)
	_, ns = reopen(t, f, s, ns)
	checkByKey(t, ns.FinishedByKey, 7, want)
	all, err := ns.FinishedKeys(7, keys)
	ok(t, err)
	ends := make([]uint64, len(keys))
	for i, key := range keys {
		same(t, fmt.Sprintf("key %.40q", key), all[i], want[key])
		ends[i] = want[key].End
	}
	many, err := ns.FinishedMany(ends)
	ok(t, err)
	same(t, "by end numbers", many, all)
}

// checkByKey reads pages of several sizes.
func checkByKey(t *testing.T, read func(job.QueueID, *job.Key, int) ([]job.Finished, error), queue job.QueueID, want map[job.Key]job.Finished) {
	t.Helper()
	var sorted []job.Finished
	for _, f := range want {
		sorted = append(sorted, f)
	}
	slices.SortFunc(sorted, func(a, b job.Finished) int { return strings.Compare(string(a.Key), string(b.Key)) })
	for _, size := range []int{1, 7, len(want) + 1} {
		var got []job.Finished
		var after *job.Key
		for {
			page, err := read(queue, after, size)
			ok(t, err)
			got = append(got, page...)
			if len(page) < size {
				break
			}
			after = &page[len(page)-1].Key
		}
		same(t, fmt.Sprintf("pages of %d", size), got, sorted)
	}
	none, err := read(queue+100, nil, 10)
	ok(t, err)
	same(t, "complete jobs of a queue without any", len(none), 0)
}

func testAttemptRows(t *testing.T, f Factory) {
	s, ns := open(t, f)
	c := &job.Changes{}
	for seq := job.Seq(1); seq <= 5; seq++ {
		for n := uint32(1); n <= uint32(seq); n++ {
			c.Attempts = append(c.Attempts, job.AttemptRow{Seq: seq, Attempt: job.Attempt{ID: job.AttemptID{Epoch: 1, N: uint64(n)}, Number: n, Data: []byte{byte(seq), byte(n)}}})
		}
	}
	commit(t, ns, c)
	_, ns = reopen(t, f, s, ns)
	got, err := ns.AttemptRows([]job.AttemptRef{{Seq: 5, Number: 5}, {Seq: 1, Number: 1}, {Seq: 1, Number: 2}, {Seq: 3, Number: 2}, {Seq: 9, Number: 1}})
	ok(t, err)
	same(t, "attempts", got, []job.AttemptRow{c.Attempts[14], c.Attempts[0], {}, c.Attempts[4], {}})
}

func testFinishedIn(t *testing.T, f Factory) {
	s, ns := open(t, f)
	want := map[job.QueueID][]job.Finished{}
	end := uint64(0)
	write := func(n int) {
		c := &job.Changes{}
		for range n {
			end++
			done := End(end, Job(job.Seq(end)))
			done.Queue = job.QueueID(end%7%3 + 1)
			want[done.Queue] = append(want[done.Queue], done)
			c.Finished = append(c.Finished, done)
		}
		commit(t, ns, c)
	}
	check := func() {
		t.Helper()
		for queue := job.QueueID(1); queue <= 4; queue++ {
			for _, from := range []uint64{0, 1, 2, 399, end / 2, end - 1, end + 1} {
				part := slices.DeleteFunc(slices.Clone(want[queue]), func(f job.Finished) bool { return f.End < from })
				part = part[:min(len(part), 50)]
				var got []job.Finished
				ok(t, ns.FinishedIn(queue, from, func(f *job.Finished) bool { got = append(got, *f); return len(got) < 50 }))
				same(t, fmt.Sprintf("queue %d from %d", queue, from), got, part, cmpopts.EquateEmpty())
			}
		}
	}
	forget := func(n int) {
		c := &job.Changes{}
		for _, f := range want[2][:n] {
			c.Forgotten = append(c.Forgotten, f)
			c.Deleted = append(c.Deleted, f.Seq)
		}
		want[2] = want[2][n:]
		commit(t, ns, c)
	}
	for range 5 { // several segments of the index, merged now and then
		write(400)
		index(t, f, s)
		check()
		forget(30)
		check()
	}
	write(100) // not indexed
	check()
	s, ns = reopen(t, f, s, ns)
	check()
	index(t, f, s)
	check()
}

func testAmended(t *testing.T, f Factory) {
	s, ns := open(t, f)
	first, second := Keyed(1, Job(1), 7, "a"), End(2, Job(2))
	commit(t, ns, &job.Changes{Finished: []job.Finished{first, second}})
	index(t, f, s)
	first.Priority, second.Priority = 2.5, -1
	first.DepGroups, second.DepGroups = []job.DepGroupID{3, 300}, []job.DepGroupID{1 << 31}
	first.Used, first.Host, second.Used = job.Usage{Memory: 1 << 40, Disk: 7, CPU: 1, Wall: 1 << 50}, "host", job.Usage{Wall: -1}
	commit(t, ns, &job.Changes{Amended: []job.Finished{second, first}})
	index(t, f, s)
	_, ns = reopen(t, f, s, ns)
	all, err := ns.FinishedMany([]uint64{1, 2})
	ok(t, err)
	same(t, "records", all, []job.Finished{first, second})
	same(t, "history", visit(t, ns, 0, 0, 10), []job.Finished{second, first})
	checkByKey(t, ns.FinishedByKey, 7, map[job.Key]job.Finished{"a": first})
}
