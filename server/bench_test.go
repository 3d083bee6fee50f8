package server

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	v1 "github.com/muster-queue/muster/api/muster/v1"
)

// dialTCP connects as a client on this machine does.
func dialTCP(t testing.TB, s *Server) *grpc.ClientConn {
	t.Helper()
	c, err := grpc.NewClient(s.Where().Address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithInitialWindowSize(1<<20), grpc.WithInitialConnWindowSize(4<<20))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func onDisk(c *Config) { c.Store = "" }

// addMany adds n jobs with data, from several streams, and reports when all are
// durable.
func addMany(t testing.TB, ctx context.Context, conn *grpc.ClientConn, n, adders, batch int) {
	t.Helper()
	var wg sync.WaitGroup
	var next atomic.Int64
	for range adders {
		wg.Go(func() {
			stream, err := v1.NewJobsClient(conn).AddJobs(ctx)
			if err != nil {
				t.Error(err)
				return
			}
			go func() {
				for {
					first := next.Add(int64(batch)) - int64(batch)
					if first >= int64(n) {
						break
					}
					m := &v1.AddJobsRequest{Jobs: make([]*v1.Job, batch)}
					for i := range m.Jobs {
						m.Jobs[i] = &v1.Job{Key: fmt.Sprint("key ", first+int64(i)), Data: []byte("0123456789012345678901234567890123456789012345678901234567890123456789")}
					}
					if stream.Send(m) != nil {
						break
					}
				}
				_ = stream.CloseSend()
			}()
			for {
				if _, err := stream.Recv(); err != nil {
					if err.Error() != "EOF" {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkAddStream(b *testing.B) {
	s := testServer(b, onDisk)
	conn, ctx := dialTCP(b, s), as(b, s.Token())
	measured(b, func() { addMany(b, ctx, conn, b.N, 4, 1000) })
}

// measured runs what b.N jobs take and reports the rate, and the time of the
// processor a job takes: client, server and disk together. The latter hardly
// depends on what else the machine does.
func measured(b *testing.B, run func()) {
	cpu := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := cpu()
	b.ResetTimer()
	run()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
	b.ReportMetric(float64((cpu()-before).Microseconds())/float64(b.N), "cpu-us/job")
}

// BenchmarkBatch has eight workers reserve and complete a hundred at a time.
func BenchmarkBatch(b *testing.B) {
	s := testServer(b, onDisk)
	conn, ctx := dialTCP(b, s), as(b, s.Token())
	addMany(b, ctx, conn, b.N, 4, 1000)
	work := v1.NewWorkClient(conn)
	var left atomic.Int64
	left.Store(int64(b.N))
	measured(b, func() {
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				name := fmt.Sprint("w", i)
				for left.Load() > 0 {
					got, err := work.Reserve(ctx, &v1.ReserveRequest{Worker: name, N: 100, Want: &v1.Want{Form: "encoded"}})
					if err != nil {
						b.Error(err)
						return
					}
					m := &v1.ReportRequest{Worker: name}
					for _, g := range got.Grants {
						m.Reports = append(m.Reports, &v1.Report{Epoch: g.Epoch, N: g.N, Seq: g.Seq, Action: v1.Report_complete})
					}
					if _, err := work.Report(ctx, m); err != nil {
						b.Error(err)
						return
					}
					left.Add(-int64(len(got.Grants)))
				}
			})
		}
		wg.Wait()
	})
}

// BenchmarkSession pulls jobs over one session or several with 64 credits each,
// one message a job each way.
func BenchmarkSession(b *testing.B) {
	for _, sessions := range []int{1, 8} {
		b.Run(fmt.Sprint(sessions), func(b *testing.B) {
			s := testServer(b, onDisk)
			conn, ctx := dialTCP(b, s), as(b, s.Token())
			addMany(b, ctx, conn, max(b.N, 1000)+1000, 4, 1000)
			b.ReportAllocs()
			var left atomic.Int64
			left.Store(int64(b.N))
			measured(b, func() {
				var wg sync.WaitGroup
				for i := range sessions {
					wg.Go(func() { pullAll(b, ctx, conn, fmt.Sprint("w", i), &left) })
				}
				wg.Wait()
			})
		})
	}
}

func pullAll(t testing.TB, ctx context.Context, conn *grpc.ClientConn, worker string, left *atomic.Int64) {
	stream, err := v1.NewWorkClient(conn).WorkSession(ctx)
	if err != nil {
		t.Error(err)
		return
	}
	err = stream.Send(&v1.WorkSessionRequest{Credits: 64, Open: &v1.OpenSession{Worker: worker, Session: worker, Want: &v1.Want{Form: "encoded"}}})
	if err != nil {
		t.Error(err)
		return
	}
	sent, acked := uint64(0), uint64(0)
	for last := false; !last || acked < sent; {
		m, err := stream.Recv()
		if err != nil {
			t.Error(err)
			return
		}
		acked = max(acked, m.Acked)
		for _, g := range m.Grants {
			n := left.Add(-1)
			if n < 0 {
				last = true
				continue
			}
			sent++
			r := &v1.Report{Epoch: g.Epoch, N: g.N, Seq: g.Seq, Action: v1.Report_complete}
			if err := stream.Send(&v1.WorkSessionRequest{Credits: 1, Id: sent, Reports: []*v1.Report{r}}); err != nil {
				t.Error(err)
				return
			}
		}
	}
	_ = stream.CloseSend()
}
