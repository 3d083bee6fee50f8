package client_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/server"
)

// durable is a namespace of a server whose store is on disk.
func durable(b *testing.B) *client.Namespace {
	b.Helper()
	s, err := server.Start(b.Context(), server.Config{Data: b.TempDir(), Listen: "127.0.0.1:0", HTTP: server.NoHTTP})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Stop(-1, nil) })
	cfg, err := client.DiscoverIn(s.Layout().Dir)
	if err != nil {
		b.Fatal(err)
	}
	c, err := client.Dial(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Close() })
	return c.Namespace("")
}

func rate(b *testing.B, jobs int) {
	b.Helper()
	b.ReportMetric(float64(jobs)/b.Elapsed().Seconds(), "jobs/s")
}

// BenchmarkAdder adds unique commands of about 100 bytes, four adders at a time.
func BenchmarkAdder(b *testing.B) {
	ns := durable(b)
	const adders, each = 4, 25_000
	for round := 0; b.Loop(); round++ {
		var wg sync.WaitGroup
		for n := range adders {
			wg.Go(func() {
				a := ns.Add(b.Context(), client.AddOptions{})
				for i := range each {
					j := line(fmt.Sprintf("sort --parallel=1 /data/in/%d/%d/%030d.txt > /data/out/%030d.txt", round, n, i, i))
					j.Group, j.Needs = "bench", job.Resources{job.CPU: 1000}
					if err := a.Add(j, int64(i)); err != nil {
						b.Error(err)
						return
					}
				}
				if _, err := a.Close(); err != nil {
					b.Error(err)
				}
			})
		}
		wg.Wait()
	}
	rate(b, b.N*adders*each)
}

// BenchmarkSession takes and completes jobs one by one, 64 on their way.
func BenchmarkSession(b *testing.B) {
	ns := durable(b)
	a := ns.Add(b.Context(), client.AddOptions{})
	const n = 50_000
	total := 0
	session := ns.Worker("w", nil).Session(b.Context(), client.SessionOptions{Credits: 64})
	for round := 0; b.Loop(); round++ {
		b.StopTimer()
		for i := range n {
			if err := a.Add(data(fmt.Sprintf("%d-%d", round, i), ""), 0); err != nil {
				b.Fatal(err)
			}
		}
		if err := a.Flush(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		for range n {
			g, err := session.Next(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			if err := session.Report(client.Complete(g, nil)); err != nil {
				b.Fatal(err)
			}
		}
		if err := session.Flush(b.Context()); err != nil {
			b.Fatal(err)
		}
		total += n
	}
	rate(b, total)
	if err := session.Close(); err != nil {
		b.Fatal(err)
	}
	if _, err := a.Close(); err != nil {
		b.Fatal(err)
	}
}
