package agent

import "github.com/muster-queue/muster/job"

// pace finds out how many jobs to have ahead: about a second of work, so that
// short commands never wait for the network and long ones are not hoarded.
type pace struct {
	max    int
	mean   float64 // seconds a command takes, moving average
	wanted int
	said   int // what the server was told last
}

// ended takes note of how a command ended, while n ran at once. One that was
// stopped does not tell how long it would have run.
func (p *pace) ended(r *job.Result, n int) {
	const weight = 0.1
	if r.Reason == job.ReasonPreempted || r.Reason == job.ReasonCancelled {
		return
	}
	s := max(r.WallTime.Seconds(), 1e-4)
	if p.mean == 0 {
		p.mean = s
	}
	p.mean += weight * (s - p.mean)
	p.wanted = min(p.max, int(float64(n)/p.mean))
}

// wrong takes note that what is ahead has waited for long: something runs longer
// than those before it did. Nothing more is wanted until something has ended.
func (p *pace) wrong() { p.wanted = 0 }

// changed reports whether the server should hear of a new wish now rather than
// with the next heartbeat.
func (p *pace) changed() bool {
	return p.wanted > 2*p.said+1 || 2*p.wanted+1 < p.said
}

// told notes that the server knows.
func (p *pace) told() { p.said = p.wanted }
