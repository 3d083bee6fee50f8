package agent

import (
	"testing"
	"time"

	"github.com/muster-queue/muster/job"
)

func TestPace(t *testing.T) {
	p := pace{max: 500}
	end := func(d time.Duration, r job.Reason, n int) int {
		p.ended(&job.Result{WallTime: d, Reason: r}, n)
		return p.wanted
	}
	// What was stopped soon is not short: a long job would wait behind a long one.
	for _, reason := range []job.Reason{job.ReasonPreempted, job.ReasonCancelled} {
		if n := end(time.Millisecond, reason, 4); n != 0 {
			t.Errorf("after one that was stopped (%v) %d are wanted ahead", reason, n)
		}
	}
	if n := end(time.Hour, job.ReasonNone, 4); n != 0 {
		t.Errorf("of long ones %d are wanted ahead", n)
	}
	for range 200 {
		end(10*time.Millisecond, job.ReasonExit, 4)
	}
	if n := p.wanted; n < 300 || n > 400 {
		t.Errorf("of those of 10 ms, 4 at once, %d are wanted ahead; a second of work is 400", n)
	}
	for range 200 {
		end(0, job.ReasonNone, 4)
	}
	if p.wanted != p.max {
		t.Errorf("%d are wanted ahead of the shortest, not %d", p.wanted, p.max)
	}
}
