package schedule

import (
	"time"

	"github.com/muster-queue/muster/job"
)

// Exactly is what jobs need and how long they may run (zero: without bound), for
// workers that were asked for because of such jobs. A need of zero is none.
type Exactly struct {
	Needs job.Resources
	Time  time.Duration
}

// equal reports whether two demands ask for the same.
func (d *demand) equal(o *demand) bool {
	return d.time == o.time && d.fit(&o.amounts) && o.fit(&d.amounts)
}
