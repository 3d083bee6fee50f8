package dispatch

import "time"

// examined is the last pass that looked at some requests. Only how things stand is
// told by it; who gets what does not depend on it. Passes mark payers, and shapes
// only where not all of a payer's take part, so that it costs nothing by request.
type examined struct {
	pass uint64
	at   time.Time
}

// examine notes, after a pass, what took part in it: all but what may not start at
// present, since it would be free and its account starts nothing for free.
func (s *Scheduler) examine() {
	this := examined{s.passes, s.now}
	for _, p := range s.payers {
		if p.config == nil || !p.config.DisableFreeTasks {
			p.examined = this
			continue
		}
		for sh := range p.shapes {
			_, may := s.core.Standing(sh.id)
			if p.config.MaxFanout == 0 { // it is the same for all
				if may {
					p.examined = this
				}
				break
			}
			if may {
				sh.examined = this
			}
		}
	}
}

// examinedTime is when the request was last looked at and left without a worker.
func (r *request) examinedTime() time.Time {
	if r.worker != nil {
		return r.examined
	}
	last := r.shape.examined
	if p := r.shape.payer.examined; p.pass > last.pass {
		last = p
	}
	if last.pass > r.entered {
		return last.at
	}
	return r.examined
}
