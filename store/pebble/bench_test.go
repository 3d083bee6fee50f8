package pebble

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/store"
	"github.com/muster-queue/muster/store/storetest"
)

// benchDigest is a digest no other number has, in no order.
func benchDigest(n uint64) job.Digest {
	n *= 0x9e3779b97f4a7c15
	var d job.Digest
	binary.BigEndian.PutUint64(d[:], n^n>>31)
	binary.BigEndian.PutUint64(d[8:], n*0xbf58476d1ce4e5b9)
	return d
}

func benchStore(b *testing.B) (*Store, store.Namespace) {
	b.Helper()
	dir := os.Getenv("MUSTER_BENCH_DIR")
	if dir == "" {
		dir = b.TempDir()
	}
	s, err := Open(Config{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	if err := s.Create(b.Context(), "default"); err != nil && !job.IsKind(err, job.Exists) {
		b.Fatal(err)
	}
	ns, err := s.Open(b.Context(), "default")
	if err != nil {
		b.Fatal(err)
	}
	return s, ns
}

// added is a commit of n new jobs from seq on.
func added(seq job.Seq, n int) *job.Changes {
	c := &job.Changes{Meta: &job.Meta{NextSeq: seq + job.Seq(n)}}
	now := job.TimeOf(time.Now())
	body := make([]byte, 100*n)
	for i := range n {
		s := seq + job.Seq(i)
		c.Live = append(c.Live, job.Live{
			Seq: s, Digest: benchDigest(uint64(s)), Place: uint64(s), Queue: 1, Kind: 3, Shape: 4, State: job.Ready,
			Flags: job.FlagCommand, Version: 1, Size: 100, Retries: job.RetriesDefault, Added: now, Since: now,
		})
		p := body[100*i : 100*i+100]
		copy(p, fmt.Sprintf("echo %d; some words of a command line that is as long as others are %d", s, s*7))
		c.Payloads = append(c.Payloads, job.Payload{Seq: s, Version: 1, Body: p})
	}
	return c
}

// pipeline commits with at most 16 under way.
func pipeline(b *testing.B, ns store.Namespace, turns int, make func(i int) *job.Changes) {
	b.Helper()
	under := make16(ns)
	for i := range turns {
		if err := under.send(make(i)); err != nil {
			b.Fatal(err)
		}
	}
	if err := under.wait(); err != nil {
		b.Fatal(err)
	}
}

type inflight struct {
	ns      store.Namespace
	commits chan store.Commit
	done    chan error
}

func make16(ns store.Namespace) *inflight {
	p := &inflight{ns: ns, commits: make(chan store.Commit, 16), done: make(chan error, 1)}
	go func() {
		var first error
		for c := range p.commits {
			if err := c.Wait(); first == nil {
				first = err
			}
		}
		p.done <- first
	}()
	return p
}

func (p *inflight) send(c *job.Changes) error {
	under, err := p.ns.Commit(c)
	if err == nil {
		p.commits <- under
	}
	return err
}

func (p *inflight) wait() error {
	close(p.commits)
	return <-p.done
}

// BenchmarkAdd adds jobs, 1,000 a commit: one state and one description each.
func BenchmarkAdd(b *testing.B) {
	s, ns := benchStore(b)
	if err := ns.Load(b.Context(), &storetest.Contents{}); err != nil {
		b.Fatal(err)
	}
	const each = 1000
	batches := make([]*job.Changes, 64)
	for i := range batches {
		batches[i] = added(0, each)
	}
	b.ResetTimer()
	start, cpu := time.Now(), cpuTime()
	turns := (b.N + each - 1) / each
	pipeline(b, ns, turns, func(i int) *job.Changes {
		c := batches[i%len(batches)]
		for j := range c.Live {
			seq := job.Seq(i*each + j)
			c.Live[j].Seq, c.Live[j].Place, c.Live[j].Digest = seq, uint64(seq), benchDigest(uint64(seq))
			c.Payloads[j].Seq = seq
		}
		return c
	})
	took := time.Since(start)
	b.ReportMetric(float64(turns*each)/took.Seconds(), "jobs/s")
	b.ReportMetric(float64((cpuTime()-cpu).Nanoseconds())/float64(turns*each), "cpu-ns/job")
	b.ReportMetric(rss(), "MiB-rss")
	describe(b, s)
}

// BenchmarkComplete completes jobs, 1,000 a commit: history, attempt, no state.
func BenchmarkComplete(b *testing.B) {
	s, ns := benchStore(b)
	if err := ns.Load(b.Context(), &storetest.Contents{}); err != nil {
		b.Fatal(err)
	}
	const each = 1000
	turns := (b.N + each - 1) / each
	pipeline(b, ns, turns, func(i int) *job.Changes { return added(job.Seq(i*each), each) })
	now := time.Now()
	b.ResetTimer()
	start := time.Now()
	pipeline(b, ns, turns, func(i int) *job.Changes {
		c := &job.Changes{Meta: &job.Meta{NextSeq: job.Seq(turns * each), MinLive: job.Seq(i * each)}}
		for j := range each {
			seq := job.Seq(i*each + j)
			f := storetest.End(uint64(seq)+1, storetest.Job(seq))
			f.Digest = benchDigest(uint64(seq))
			c.Finished = append(c.Finished, f)
			c.Gone = append(c.Gone, seq)
			c.Attempts = append(c.Attempts, job.AttemptRow{Seq: seq, Attempt: job.Attempt{ID: job.AttemptID{Epoch: 1, N: uint64(seq)}, Number: 1,
				Version: 1, Worker: "agent-1", Host: "machine", Granted: now, Started: now, Ended: now, Outcome: job.OutcomeComplete,
				Result: job.Result{Exited: true, PeakMemory: 1 << 20, WallTime: time.Second, Pid: 1234, Dir: "/tmp/somewhere"}}})
		}
		return c
	})
	b.ReportMetric(float64(turns*each)/time.Since(start).Seconds(), "jobs/s")
	if err := s.Index(b.Context(), "default"); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(turns*each)/time.Since(start).Seconds(), "indexed/s")
	b.ReportMetric(rss(), "MiB-rss")
}

// BenchmarkFind looks keys up, 1,000 at a time, among MUSTER_BENCH_KEYS (1M)
// finished ones, and measures loading beside MUSTER_BENCH_LIVE (0) live ones.
func BenchmarkFind(b *testing.B) {
	keys, live := number("MUSTER_BENCH_KEYS", 1_000_000), number("MUSTER_BENCH_LIVE", 0)
	s, ns := benchStore(b)
	if err := ns.Load(b.Context(), &storetest.Contents{}); err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	if ns.Reach() < uint64(keys) {
		finishMany(b, ns, keys)
		if err := s.Index(b.Context(), "default"); err != nil {
			b.Fatal(err)
		}
		b.Logf("%d finished jobs stored and indexed in %v", keys, time.Since(start))
		pipeline(b, ns, live/1000, func(i int) *job.Changes {
			c := added(job.Seq(keys+i*1000), 1000)
			c.Meta.MinLive = job.Seq(keys)
			return c
		})
	}
	find := func(b *testing.B, from uint64) {
		digests, ends := make([]job.Digest, 1000), make([]uint64, 1000)
		n := from
		for b.Loop() {
			for i := range digests {
				digests[i] = benchDigest(n)
				n += 7919
			}
			if err := ns.FindMany(digests, ends); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/key")
	}
	b.Run("absent", func(b *testing.B) { find(b, 1<<40) })
	b.Run("present", func(b *testing.B) {
		n := uint64(0)
		digests, ends := make([]job.Digest, 1000), make([]uint64, 1000)
		for b.Loop() {
			for i := range digests {
				n = (n + 7919) % uint64(keys)
				digests[i] = benchDigest(n)
			}
			if err := ns.FindMany(digests, ends); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/key")
	})
	b.Run("absent, one by one", func(b *testing.B) {
		n := uint64(1 << 40)
		for b.Loop() {
			n += 7919
			if _, found, err := ns.Find(benchDigest(n)); found || err != nil {
				b.Fatal(found, err)
			}
		}
	})
	b.Run("load", func(b *testing.B) {
		for b.Loop() {
			if err := ns.Load(b.Context(), &counter{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.ReportMetric(rss(), "MiB-rss")
}

func finishMany(b *testing.B, ns store.Namespace, keys int) {
	pipeline(b, ns, keys/1000, func(i int) *job.Changes {
		c := &job.Changes{}
		for j := range 1000 {
			n := uint64(i*1000 + j)
			f := storetest.End(n+1, storetest.Job(job.Seq(n)))
			f.Digest = benchDigest(n)
			c.Finished = append(c.Finished, f)
		}
		return c
	})
}

type counter struct {
	storetest.Contents
	live int
}

func (c *counter) LoadLive(*job.Live)         { c.live++ }
func (c *counter) LoadFinished(*job.Finished) {}

func number(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

// describe logs Pebble's own account when asked for.
func describe(b *testing.B, s *Store) {
	if os.Getenv("MUSTER_BENCH_METRICS") != "" {
		fmt.Fprintln(os.Stderr, s.db.db.Metrics().String())
	}
}

// rss is the resident memory of the process in MiB, after a collection.
func rss() float64 {
	runtime.GC()
	b, _ := os.ReadFile("/proc/self/statm")
	var size, resident float64
	_, _ = fmt.Sscan(string(b), &size, &resident)
	return resident * float64(os.Getpagesize()) / (1 << 20)
}
