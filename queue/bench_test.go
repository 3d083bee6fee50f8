package queue

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/muster-queue/muster/job"
)

// items are n prepared jobs as an engine would hand them over, numbered from.
func items(from, n int) []Prepared {
	list := make([]Prepared, n)
	for i := range list {
		j := &job.Job{
			Queue: "default", Key: job.Key(fmt.Sprintf("%032d", from+i)), Group: "group", Kind: "true",
			Command: &job.Command{Line: "true"}, Needs: job.Resources{"cpu": 1000, "mem": 1 << 30},
		}
		list[i] = Prepared{Job: j, Digest: job.DigestOf(j.Queue, j.Key), Body: make([]byte, 100)}
	}
	return list
}

func fill(b testing.TB, n int) *State {
	s := New(Config{})
	if err := s.Loaded(start, 1, 7); err != nil {
		b.Fatal(err)
	}
	for from := 0; from < n; from += 1000 {
		s.Begin(start)
		s.Add(items(from, min(1000, n-from)), AddOptions{})
		s.Feed()
		s.Take()
	}
	return s
}

func BenchmarkAdd(b *testing.B) {
	s := fill(b, 0)
	b.ReportAllocs()
	n := 0
	var batch []Prepared
	for b.Loop() {
		if n%1000 == 0 {
			b.StopTimer()
			batch = items(n, 1000)
			b.StartTimer()
			s.Begin(start + job.Time(n))
			s.Add(batch, AddOptions{})
			s.Feed()
			s.Take()
		}
		n++
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "jobs/s")
}

func BenchmarkGrantEnd(b *testing.B) {
	for _, by := range []string{"agent", "puller"} {
		b.Run(by, func(b *testing.B) {
			const total = 1_000_000
			s := fill(b, total)
			w, _ := s.Join(job.Worker{Name: by, Agent: by == "agent", Machine: "m"})
			s.Take()
			b.ReportAllocs()
			b.ResetTimer()
			n := 0
			for ; n < b.N && n < total; n += 100 {
				s.Begin(start + job.Time(n))
				var refs [100]Ref
				for i := range refs {
					g, ok := s.Grant(job.Seq(n+i+1), w, 0, false)
					if !ok {
						b.Fatal("not granted")
					}
					refs[i] = g.Ref
				}
				s.Feed()
				s.Take()
				s.Begin(start + job.Time(n))
				for _, ref := range refs {
					if _, err := s.End(&End{Ref: ref, How: Completed, Result: job.Result{Exited: true}}); err != nil {
						b.Fatal(err)
					}
				}
				s.Feed()
				s.Take()
				if n%10_000 == 0 {
					s.TrimOverlay(s.meta.NextEnd)
				}
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "jobs/s")
		})
	}
}

func BenchmarkHeartbeat(b *testing.B) {
	s := fill(b, 1000)
	w, _ := s.Join(job.Worker{Name: "agent", Agent: true})
	for seq := range 1000 {
		s.Grant(job.Seq(seq+1), w, 0, false)
	}
	for b.Loop() {
		if err := s.Heard(w); err != nil {
			b.Fatal(err)
		}
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestMemory holds the State to its promise: 130 bytes for a queued job that was
// never tried, and little enough for one that was.
func TestMemory(t *testing.T) {
	const n = 200_000
	before := heap()
	s := fill(t, n)
	per := float64(heap()-before) / n
	t.Logf("%.1f bytes for a queued job", per)
	if per > 130 {
		t.Errorf("a queued job takes %.1f bytes, more than 130", per)
	}
	w, _ := s.Join(job.Worker{Name: "w"})
	for seq := range job.Seq(n) {
		s.Begin(start)
		s.Grant(seq+1, w, 0, false)
		if seq%1000 == 999 {
			s.Feed()
			s.Take()
		}
	}
	s.turn.feed = nil
	per = float64(heap()-before) / n
	t.Logf("%.1f bytes for a held job", per)
	if per > 280 {
		t.Errorf("a held job takes %.1f bytes, more than 280", per)
	}
	runtime.KeepAlive(s)
}

// BenchmarkLoad is a restart with a million queued jobs.
func BenchmarkLoad(b *testing.B) {
	const n = 1_000_000
	s := fill(b, n)
	lives := make([]job.Live, n)
	for i := range lives {
		lives[i], _ = s.BySeq(job.Seq(i + 1))
	}
	meta, q, g := s.Meta(), s.queues.rows[1].QueueRow, s.groups.rows[1].GroupRow
	k, sh := s.kinds.rows[1].KindRow, s.shapes.rows[1].ShapeRow
	for b.Loop() {
		began := time.Now()
		s := New(Config{})
		s.LoadMeta(meta)
		s.LoadQueue(q)
		s.LoadGroup(g)
		s.LoadKind(k)
		s.LoadShape(sh)
		for i := range lives {
			s.LoadLive(&lives[i])
		}
		b.ReportMetric(time.Since(began).Seconds()*1000, "load-ms")
		if err := s.Loaded(start, 2, 7); err != nil {
			b.Fatal(err)
		}
		fed := 0
		for f := s.Feed(); len(f) > 0; f = s.Feed() {
			fed += len(f)
		}
		if fed < n {
			b.Fatalf("fed %d", fed)
		}
	}
}

func BenchmarkScan(b *testing.B) {
	s := fill(b, 1_000_000)
	if _, err := s.Cancel(999_999); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		var found int
		for from, done := job.Seq(0), false; !done; {
			var m []job.Live
			m, from, done = s.Scan(from, Filter{States: 1 << job.Buried}, 100, 10_000)
			found += len(m)
		}
		if found != 1 {
			b.Fatal(found)
		}
	}
}
