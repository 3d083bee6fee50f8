package api_test

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/muster-queue/muster/api"
	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

// batchOf is what adding many commands sends.
func batchOf(n int) []*job.Job {
	jobs := make([]*job.Job, n)
	for i := range jobs {
		jobs[i] = &job.Job{
			Group:   "bench",
			Needs:   job.Resources{job.CPU: 1000, job.Memory: 1 << 30},
			Time:    time.Hour,
			Command: &job.Command{Line: fmt.Sprintf("sort --parallel=1 /data/in/%040d.txt > /data/out/%030d.txt", i, i), Dir: "/data"},
		}
	}
	return jobs
}

func perJob(b *testing.B, n int) {
	b.Helper()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/job")
}

func BenchmarkAddFields(b *testing.B) {
	jobs := batchOf(1000)
	b.ReportAllocs()
	for b.Loop() {
		q := &musterv1.AddJobsRequest{}
		for _, j := range jobs {
			q.Jobs = append(q.Jobs, api.FromJob(j))
		}
		wire, err := proto.Marshal(q)
		if err != nil {
			b.Fatal(err)
		}
		var got musterv1.AddJobsRequest
		if err := proto.Unmarshal(wire, &got); err != nil {
			b.Fatal(err)
		}
		for _, m := range got.Jobs {
			if _, err := api.ToJob(m); err != nil {
				b.Fatal(err)
			}
		}
	}
	perJob(b, len(jobs))
}

func BenchmarkAddEncoded(b *testing.B) {
	jobs := batchOf(1000)
	b.ReportAllocs()
	for b.Loop() {
		q := &musterv1.AddJobsRequest{}
		for _, j := range jobs {
			body, err := job.Encode(nil, j)
			if err != nil {
				b.Fatal(err)
			}
			q.Jobs = append(q.Jobs, &musterv1.Job{Encoded: body})
		}
		wire, err := proto.Marshal(q)
		if err != nil {
			b.Fatal(err)
		}
		var got musterv1.AddJobsRequest
		if err := proto.Unmarshal(wire, &got); err != nil {
			b.Fatal(err)
		}
		for _, m := range got.Jobs {
			if _, err := api.ToJob(m); err != nil {
				b.Fatal(err)
			}
		}
	}
	perJob(b, len(jobs))
}

func BenchmarkGrants(b *testing.B) {
	body, err := job.Encode(nil, batchOf(1)[0])
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		m := &musterv1.WorkSessionResponse{}
		for i := range 100 {
			m.Grants = append(m.Grants, &musterv1.Grant{Epoch: 3, N: uint64(i), Seq: uint64(i), Number: 1, Lease: 3e11, Encoded: body})
		}
		wire, err := proto.Marshal(m)
		if err != nil {
			b.Fatal(err)
		}
		var got musterv1.WorkSessionResponse
		if err := proto.Unmarshal(wire, &got); err != nil {
			b.Fatal(err)
		}
	}
	perJob(b, 100)
}

func BenchmarkAddDefaults(b *testing.B) {
	jobs := batchOf(1000)
	common := *jobs[0]
	common.Command = &job.Command{Dir: "/data"}
	b.ReportAllocs()
	for b.Loop() {
		q := &musterv1.AddJobsRequest{Defaults: api.FromJob(&common)}
		for _, j := range jobs {
			q.Jobs = append(q.Jobs, api.FromJob(&job.Job{Command: &job.Command{Line: j.Command.Line}}))
		}
		wire, err := proto.Marshal(q)
		if err != nil {
			b.Fatal(err)
		}
		var got musterv1.AddJobsRequest
		if err := proto.Unmarshal(wire, &got); err != nil {
			b.Fatal(err)
		}
		defaults, err := api.ToJob(got.Defaults)
		if err != nil {
			b.Fatal(err)
		}
		for _, m := range got.Jobs {
			if _, err := api.ToJobWith(m, defaults); err != nil {
				b.Fatal(err)
			}
		}
	}
	perJob(b, len(jobs))
}
