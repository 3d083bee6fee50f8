package simulate

import (
	"fmt"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/schedule"
)

// maxNotes bounds the notes of a kind.
const maxNotes = 10

// remains are the jobs of a stream that are not done.
type remains struct {
	left, never int64
	first       *task // of those that wait, if any do
}

// remains are by stream.
func (s *simulator) remains() []remains {
	list := make([]remains, len(s.Jobs))
	for _, t := range s.live {
		r := &list[t.stream]
		r.left++
		if t.first == 0 {
			r.never++
		}
		if t.state == waiting && (r.first == nil || t.seq < r.first.seq) {
			r.first = t
		}
	}
	return list
}

// notes tell of kinds of jobs of which none ever started, or some never will, and of
// names that are no accounts.
func (s *simulator) notes() (list []string) {
	stuck := s.stuck()
	for i, r := range s.remains() {
		made := s.sources[i].made
		if r.left == 0 || !stuck && r.never < made {
			continue
		}
		what := fmt.Sprintf("%d of %s %s never end", r.left, job.Plural(made, "job"), s.Jobs[i].Name)
		switch {
		case r.never == made && made == 1:
			what = fmt.Sprintf("The only job %s never started", s.Jobs[i].Name)
		case r.never == made:
			what = fmt.Sprintf("None of the %d jobs %s started", made, s.Jobs[i].Name)
		case r.left == 1:
			what = fmt.Sprintf("1 of %s %s never ends", job.Plural(made, "job"), s.Jobs[i].Name)
		}
		list = append(list, what+": "+s.why(r.first))
	}
	if n := len(list) - maxNotes; n > 0 {
		list = append(list[:maxNotes], fmt.Sprintf("And so with %s of jobs.", job.Plural(n, "more kind")))
	}
	for _, l := range s.ledgers {
		if len(s.Accounts) > 0 && !l.known && l.jobs > 0 && l.name != "" {
			list = append(list, fmt.Sprintf("Jobs name the account %s, which is none: they run for free.", l.name))
		}
	}
	return list
}

// why says why a job is not running at the end.
func (s *simulator) why(t *task) string {
	e := s.sched.Explain(t.shape.id, s.item(t), s.now)
	if e.Cause != schedule.CauseNoAgent {
		return e.String()
	}
	for i := range s.Workers {
		if g := &s.Workers[i]; g.Leave > 0 && s.now.Sub(begin) >= g.Leave {
			return "there are no workers any more"
		}
	}
	return "there are no workers yet"
}
