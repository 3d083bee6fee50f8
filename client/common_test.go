package client

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/muster-queue/muster/api"
	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

// alike are jobs that often have fields in common.
var alike = rapid.Custom(func(t *rapid.T) *job.Job {
	word := rapid.SampledFrom([]string{"", "a", "b", "\xff"})
	j := &job.Job{
		Group: word.Draw(t, "group"), Kind: word.Draw(t, "kind"), Queue: word.Draw(t, "queue"),
		Time:  rapid.SampledFrom([]time.Duration{0, time.Hour, time.Minute}).Draw(t, "time"),
		Needs: rapid.SampledFrom([]job.Resources{nil, {"mem": 1}, {"mem": 2}, {"mem": 1, "cpu": 1}}).Draw(t, "needs"),
	}
	if rapid.Bool().Draw(t, "data") {
		j.Data = []byte("data")
		return j
	}
	j.Command = &job.Command{Line: "true", Dir: word.Draw(t, "dir"), EnvID: word.Draw(t, "env")}
	return j
})

// TestSharing checks that what batches have in common is given back to each job.
func TestSharing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		jobs := rapid.SliceOfN(alike, 1, 30).Draw(t, "jobs")
		var c common
		var batch []*musterv1.Job
		var defaults *job.Job
		var got []*job.Job
		read := func() {
			for _, m := range batch {
				j, err := api.ToJobWith(m, defaults)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, j)
			}
			batch = nil
		}
		for _, j := range jobs {
			m := api.FromJob(j)
			if !c.fits(m) {
				c.misses++
				read()
			}
			if len(batch) == 0 {
				var err error
				if defaults, err = api.ToJob(c.begin(m)); err != nil {
					t.Fatal(err)
				}
			}
			c.take(m)
			batch = append(batch, m)
		}
		read()
		if d := cmp.Diff(jobs, got, cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("jobs came back different (-added +got):\n%s", d)
		}
	})
}

func TestMixedJobsStayInBatches(t *testing.T) {
	var c common
	ended := 0
	for i := range 1000 {
		m := &musterv1.Job{Group: []string{"a", ""}[i%2]}
		if !c.fits(m) {
			c.misses++
			ended++
			c.begin(m)
		}
		if i == 0 {
			c.begin(m)
		}
	}
	if ended > maxMisses+1 {
		t.Errorf("%d batches for 1000 alternating jobs; at most %d should be ended early", ended, maxMisses+1)
	}
}
