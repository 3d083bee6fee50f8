package engine

import (
	"fmt"
	"testing"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/store/memory"
)

// BenchmarkDrain grants and completes jobs, 100 a message, whom an account pays for
// or nobody.
func BenchmarkDrain(b *testing.B) {
	for _, accounts := range []int{0, 20} {
		b.Run(fmt.Sprint("accounts=", accounts), func(b *testing.B) { drainPaid(b, accounts) })
	}
}

func drainPaid(b *testing.B, accounts int) {
	ctx := b.Context()
	e, err := New(ctx, Config{}, memory.New())
	if err != nil {
		b.Fatal(err)
	}
	defer e.Stop(0)
	ns, err := e.Namespace(ctx, "")
	for i := 0; i < accounts && err == nil; i++ {
		a := job.Account{Name: fmt.Sprint("a", i), Rate: job.Quota{1}, Window: time.Hour}
		_, err = ns.AddAccount(ctx, a, job.Quota{1e6}, "")
	}
	jobs := make([]*job.Job, b.N)
	for i := range jobs {
		jobs[i] = &job.Job{Queue: "q", Key: job.Key(fmt.Sprint(i)), Data: []byte("x"), Account: fmt.Sprint("a", i%20)}
	}
	for len(jobs) > 0 && err == nil {
		part := jobs[:min(len(jobs), 1000)]
		jobs = jobs[len(part):]
		_, err = ns.Add(ctx, AddRequest{Jobs: part})
	}
	b.ResetTimer()
	for left := b.N; left > 0 && err == nil; {
		var grants []Grant
		grants, err = ns.Reserve(ctx, ReserveRequest{Worker: job.Worker{Name: "w"}, N: 100})
		reports := make([]Report, len(grants))
		for i, g := range grants {
			reports[i] = Report{Ref: refTo(g), Kind: ReportComplete}
		}
		if err == nil {
			_, err = ns.Report(ctx, "w", reports)
		}
		left -= len(grants)
	}
	if err != nil {
		b.Fatal(err)
	}
}
