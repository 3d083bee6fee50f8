package queue

import (
	"cmp"

	"github.com/muster-queue/muster/job"
)

// payer is who pays for jobs of the shape: the account that they name, else that of
// their queue, else the namespace's.
func (s *State) payer(sh *shapeRow) string {
	return cmp.Or(sh.Account, sh.queue.Def.Account, s.meta.Account)
}

// SetAccount says who pays for jobs that name no account, in queues that name none.
// It counts for what waits, too; see Refile.
func (s *State) SetAccount(name string) {
	s.meta.Account = name
	s.refiling = 1
}

// Refile goes on to tell the scheduler of shapes that are another account's, since
// that of their queue or of the namespace changed. It looks at many shapes, and
// tells of at most max; more says that it must be called again. Jobs are not looked
// at: those that wait follow their shape, what runs is paid for as before.
func (s *State) Refile(max int) (more bool) {
	for seen := 0; s.refiling != 0; s.refiling++ {
		if s.refiling >= len(s.shapes.rows) {
			s.refiling = 0
			return false
		}
		if seen++; max == 0 || seen > refileSeen {
			return true
		}
		if sh := s.shapes.rows[s.refiling]; sh != nil && sh.payer != s.payer(sh) {
			max--
			s.feedShape(sh)
		}
	}
	return false
}

// refileSeen is how many shapes one call of Refile looks at.
const refileSeen = 50_000

// feedShape tells the scheduler of a shape that is new or changed.
func (s *State) feedShape(sh *shapeRow) {
	sh.payer = s.payer(sh)
	s.feed(Feed{Op: FeedDefineShape, Shape: sh.ID, Queue: sh.Queue})
}

// Shape is the shape behind a number, with the account that pays, and the needs and
// time that its jobs ask for by now. It must not be changed.
func (s *State) Shape(id job.ShapeID) (job.Shape, bool) {
	row := s.shapes.byNumber(id)
	if row == nil {
		return job.Shape{}, false
	}
	sh := row.Shape
	sh.Account = s.payer(row)
	asks := s.asks[row.ask]
	sh.Needs, sh.Time = asks.Needs, asks.Time
	return sh, true
}
