package simulate

import "fmt"

// maxNotes bounds the notes of a kind.
const maxNotes = 10

// notes tell of kinds of jobs of which none ever started, and of names that are no
// accounts.
func (s *simulator) notes() (list []string) {
	first := map[int]*task{}
	count := map[int]int{}
	for _, t := range s.live {
		if t.first != 0 {
			continue
		}
		count[t.stream]++
		if f := first[t.stream]; f == nil || t.seq < f.seq {
			first[t.stream] = t
		}
	}
	for i := range s.Jobs {
		if t := first[i]; t != nil && int64(count[i]) == s.sources[i].made {
			why := s.sched.Explain(t.shape.id, s.item(t), s.now)
			list = append(list, fmt.Sprintf("None of the %d jobs %s started: %s", count[i], s.Jobs[i].Name, why))
		}
	}
	if len(list) > maxNotes {
		list = append(list[:maxNotes], fmt.Sprintf("And so with %d more kinds of jobs.", len(list)-maxNotes))
	}
	for _, l := range s.ledgers {
		if len(s.Accounts) > 0 && !l.known && l.jobs > 0 && l.name != "" {
			list = append(list, fmt.Sprintf("Jobs name the account %s, which is none: they run for free.", l.name))
		}
	}
	return list
}
