package schedule

import (
	"fmt"
	"time"
)

// explainLimit says which limit leaves a job no room, and when it will.
func (s *Scheduler) explainLimit(set *limitSet, e *Explanation) {
	p, never := set.blocking(s.now)
	e.Cause, e.Limit, e.Weight, e.Never = CauseLimit, s.stateOf(p.limit), p.weight, never
	if !never {
		e.Opens = p.opens(s.now, p.weight)
	}
}

// limitReason says what a limit does not let pass: "limit db has 5 of 5 in use".
func (e *Explanation) limitReason() string {
	l := &e.Limit
	text := fmt.Sprintf("limit %s ", l.Name)
	if e.Weight > 1 {
		text = fmt.Sprintf("it counts %d against limit %s, which ", e.Weight, l.Name)
	}
	switch {
	case l.Max == 0:
		return text + "lets none run"
	case e.Never && l.Max > 0 && e.Weight > l.Max:
		return text + fmt.Sprintf("lets at most %s: it never fits, unless the limit is raised or the job counts less", l.Amount())
	case e.Never:
		return text + "opens no more: its last window is over"
	case l.Rate() && l.Room < e.Weight && l.Max-l.Started < e.Weight:
		text += fmt.Sprintf("let %d of %s start", l.Started, l.Amount())
	case l.Max > 0 && !l.Rate() && l.Max-l.Used < e.Weight:
		text += fmt.Sprintf("has %d of %d in use", l.Used, l.Max)
	default:
		text += "is closed at this time"
	}
	if e.Opens != 0 {
		text += ", and opens at " + e.Opens.Std().Round(time.Millisecond).Format("2006-01-02 15:04:05.999Z")
	}
	return text
}
