package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-queue/muster/job"
)

// A job that is too large for every agent is buried also when it becomes ready later:
// when its time comes, when what it waited for ended, when it was changed.
func TestTooLargeLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		st := b.machine(t, "w", 1000*mb)
		first := alike(0, 1, 100*mb)[0]
		later, dependant, changed := alike(1, 2, 2000*mb)[0], alike(2, 3, 2000*mb)[0], alike(3, 4, 100*mb)[0]
		later.NotBefore = time.Now().Add(3 * time.Minute)
		first.Normalise()
		dependant.Dependencies = []job.Dependency{{Key: first.Key}}
		changed.Labels = job.Labels{"never:there"}
		b.add(t, first, later, dependant, changed)
		wants(t, st.look(), "k00")
		st.lives(t, 2*b.ns.cfg.ResourceGrace) // the agent is not new any more
		st.reports("k00", ReportComplete, job.Result{Exited: true})
		_, err := b.ns.Modify(b.ctx, Selector{IDs: []JobID{{Queue: changed.Queue, Key: changed.Key}}}, func(j *job.Job) error {
			j.Labels, j.Needs = nil, job.Resources{job.Memory: 2000 * mb}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		st.lives(t, 3*time.Minute+2*b.ns.cfg.ResourceGrace)
		synctest.Wait()
		for _, j := range []*job.Job{later, dependant, changed} {
			if i := b.job(t, j); i.Live.State != job.Buried || i.Live.Reason != job.ReasonResource {
				t.Errorf("%s is %v, %v", j.Key, i.Live.State, i.Live.Reason)
			}
		}
	})
}

// lives lets time go by in which the agent is heard of.
func (st *station) lives(t *testing.T, d time.Duration) {
	t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(10 * time.Second) {
		if err := st.s.Beat(t.Context(), Beat{Clock: time.Now().UnixNano()}); err != nil {
			t.Fatal(err)
		}
	}
}
