package cli

import (
	"errors"
	"testing"

	"github.com/muster-queue/muster/api"
	"github.com/muster-queue/muster/job"
)

// TestCountsOfABusyServer: jobs that went on between the reading of the total and that of
// the groups are no jobs without a group.
func TestCountsOfABusyServer(t *testing.T) {
	var total, rows job.Counts
	total[job.Ready], total[job.Running], total[job.Complete] = 100, 10, 5
	rows[job.Ready], rows[job.Running], rows[job.Complete] = 80, 8, 27
	if rest := notIn(&total, &rows); rest.Total() != 0 {
		t.Errorf("%v are in no group, where all are in one", rest)
	}
	total[job.Ready] += 3
	if rest := notIn(&total, &rows); rest.Total() != 3 || rest[job.Ready] != 3 {
		t.Errorf("%v are in no group, where three are", rest)
	}
	rows[job.Complete] += 50 // added meanwhile
	if rest := notIn(&total, &rows); rest.Total() != 0 {
		t.Errorf("%v are in no group, where all are in one", rest)
	}
}

// TestRefusedLine: of a line that the server refused it is said which it is, and what
// became of those before.
func TestRefusedLine(t *testing.T) {
	s := &submission{file: "/tmp/a.txt"}
	err := error(&api.ItemError{Item: 3, Line: 7, Err: job.Errorf(job.Conflict, "no")})
	want := "a.txt line 7: no; nothing was added (--partial adds the other lines)"
	if got := s.refused(err, 0); got.Error() != want || job.KindOf(got) != job.Conflict {
		t.Errorf("%v, want %s", got, want)
	}
	want = "a.txt line 7: no; the first 1000 jobs of the file were added, and are found again when the mended file is added (--partial adds the other lines)"
	if got := s.refused(err, 1000); got.Error() != want {
		t.Errorf("%v, want %s", got, want)
	}
	if lost := errors.New("lost"); s.refused(lost, 0) != lost {
		t.Error("what is about no line is changed")
	}
}
