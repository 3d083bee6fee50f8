package learn

import (
	"time"

	"github.com/muster-queue/muster/job"
)

// Raise is what is asked for after an attempt that used n was ended for too little
// of a resource, and what a run may use at most of which an estimate says that it
// needs n. Memory: twice as much up to 8 GB, 1.3 times above, at least 1000 MB
// more. Disk: 1.3 times, at least 100 MB more. Both are rounded up to 100 MB. Time:
// 1.3 times, at least half an hour more, rounded up to a minute.
func (r Resource) Raise(n int64) int64 {
	n = min(max(n, 0), job.MaxAmount/4)
	third := n + n/10*3 + n%10*3/10
	switch {
	case r == Time:
		return roundUp(max(third, n+int64(30*time.Minute)), int64(time.Minute))
	case r == Disk:
		return roundUp(max(third, n+100*MB), 100*MB)
	case n <= 8192*MB:
		return roundUp(max(2*n, n+1000*MB), 100*MB)
	}
	return roundUp(max(third, n+1000*MB), 100*MB)
}

// Reason is the resource that an attempt was ended for, if it was for one.
func Reason(r job.Reason) (Resource, bool) {
	switch r {
	case job.ReasonMemory:
		return Memory, true
	case job.ReasonDisk:
		return Disk, true
	case job.ReasonTime:
		return Time, true
	}
	return 0, false
}
