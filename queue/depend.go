package queue

import "github.com/muster-queue/muster/job"

// LoadDepGroup implements store.Loader.
func (s *State) LoadDepGroup(job.DepGroupRow) {}

// LoadDepend implements store.Loader.
func (s *State) LoadDepend(job.DependRow) {}
