package schedule

import "github.com/muster-queue/muster/job"

// Temporary declarations, replaced within the hour by the implementation.

type Scheduler struct{}

func New(cfg Config) *Scheduler { return &Scheduler{} }

// DefineShape makes a shape known or changes it (e.g. learned needs).
func (s *Scheduler) DefineShape(id job.ShapeID, shape *job.Shape) { panic("being written") }
func (s *Scheduler) DropShape(id job.ShapeID)                     { panic("being written") }
func (s *Scheduler) SetQueue(id job.QueueID, q QueueSettings)     { panic("being written") }
func (s *Scheduler) Push(id job.ShapeID, it Item)                 { panic("being written") }
func (s *Scheduler) Remove(id job.ShapeID, it Item) bool          { panic("being written") }
func (s *Scheduler) SetWorker(id job.WorkerID, w Worker)          { panic("being written") }
func (s *Scheduler) DropWorker(id job.WorkerID)                   { panic("being written") }

// Hold accounts an attempt; a second Hold of the same job replaces the first (a
// prefetched one started). Pass and Pull have already done it for what they place.
func (s *Scheduler) Hold(h Held)              { panic("being written") }
func (s *Scheduler) Release(seq job.Seq) bool { panic("being written") }
func (s *Scheduler) Pass(now job.Time, max int) (placed []Placement, more bool) {
	panic("being written")
}
func (s *Scheduler) Pull(now job.Time, p Pull) (placed []Placement, more bool) {
	panic("being written")
}
func (s *Scheduler) NextWake(now job.Time) (job.Time, bool)         { panic("being written") }
func (s *Scheduler) TooLarge(id job.ShapeID) (Shortage, bool)       { panic("being written") }
func (s *Scheduler) Impossible(max int) (out []Shortage, more bool) { panic("being written") }
func (s *Scheduler) Requirements(max int) []Requirement             { panic("being written") }
func (s *Scheduler) Explain(id job.ShapeID, it Item, now job.Time) Explanation {
	panic("being written")
}

// Shortage says that a shape needs more than any open agent with its labels has.
type Shortage struct {
	Shape         job.ShapeID
	Resource      string
	Need, Largest int64
}

// Requirement is what unplaced jobs of a shape would need from a pool.
type Requirement struct {
	Shape  job.ShapeID
	Labels job.Labels
	Min    job.Resources
	Jobs   int64
}

// Explanation says why a ready job is not running; String is for people.
type Explanation struct{}

func (e Explanation) String() string { return "" }
