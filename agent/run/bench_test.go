package run_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

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
	before := cpu(b)
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
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-µs/run")
}

// cpu is the CPU time of this process and the children it waited for.
func cpu(b *testing.B) (sum time.Duration) {
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var u unix.Rusage
		if err := unix.Getrusage(who, &u); err != nil {
			b.Fatal(err)
		}
		sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return sum
}

// BenchmarkForkExec is what a run costs at least: starting and reaping a program.
func BenchmarkForkExec(b *testing.B) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	before := cpu(b)
	for b.Loop() {
		attr := &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{null.Fd(), null.Fd(), null.Fd()}}
		pid, err := syscall.ForkExec("/bin/true", []string{"true"}, attr)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := unix.Wait4(pid, nil, 0, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-µs/run")
}
