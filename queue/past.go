package queue

import "github.com/muster-queue/muster/job"

// Past is what this turn has put into history so far, and what it took out.
func (s *State) Past() (finished, forgotten []job.Finished) {
	return s.turn.finished, s.turn.forgotten
}
