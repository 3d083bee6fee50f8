package run_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/muster-queue/muster/agent/home"
	"github.com/muster-queue/muster/agent/run"
	"github.com/muster-queue/muster/job"
)

// BenchmarkRun measures whole runs: directory, environment, process, output,
// result. "ns/op" divided into a second is runs per second.
func BenchmarkRun(b *testing.B) {
	commands := map[string]*job.Command{
		"exec": {Argv: []string{"true"}},
		"sh":   {Line: "true", Shell: "sh"},
		"bash": {Line: "true"},
	}
	for _, name := range []string{"exec", "sh", "bash"} {
		for _, parallel := range []int{2, 4} {
			for _, groups := range []bool{true, false} {
				b.Run(fmt.Sprintf("%s/parallel=%d/cgroup=%v", name, parallel, groups), func(b *testing.B) {
					benchmarkRun(b, commands[name], parallel, groups)
				})
			}
		}
	}
}

func benchmarkRun(b *testing.B, c *job.Command, parallel int, groups bool) {
	h, err := home.Takeover(b.Context(), home.Config{Dir: b.TempDir(), NoCgroup: !groups})
	if err != nil {
		b.Fatal(err)
	}
	if groups && h.Tree == nil {
		b.Skip(h.NoTree)
	}
	defer h.Close()
	r, err := run.New(run.Config{Home: h, Adopt: true})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	var n atomic.Uint64
	var wg sync.WaitGroup
	b.ResetTimer()
	for range parallel {
		wg.Go(func() {
			for i := n.Add(1); i <= uint64(b.N); i = n.Add(1) {
				res := r.Run(context.Background(), run.Spec{Attempt: job.AttemptID{Epoch: 1, N: i}, Command: c})
				if res.Reason != job.ReasonNone {
					b.Errorf("%v: %s", res.Reason, res.Message)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "runs/s")
}
