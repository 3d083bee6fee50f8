package tally

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-queue/muster/job"
)

func TestCounts(t *testing.T) {
	var c Counts
	c.Assign(true, false)
	c.Assign(true, false)
	c.Complete("complete")
	c.Spend("a", []string{"x", "y"}, job.Quota{1, 0, 2})
	c.Spend("a", nil, job.Quota{3})
	before := c.Clone()
	c.Assign(false, true)
	c.Complete("complete")
	c.Spend("a", []string{"x"}, job.Quota{1})
	if d := cmp.Diff(map[Spent]float64{{"a", 0}: 4, {"a", 2}: 2}, before.Spent); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[LabelSpent]float64{{"x", 0}: 2, {"y", 0}: 1, {"x", 2}: 2, {"y", 2}: 2}, c.LabelSpent); d != "" {
		t.Error(d)
	}
	if before.Assigned[Assigned{Preempting: true}] != 2 || len(before.Assigned) != 1 || before.Completed["complete"] != 1 || c.Completed["complete"] != 2 {
		t.Errorf("%+v and then %+v", before, c)
	}
}

// However many accounts, labels and reasons there are, only so many are told apart,
// and nothing is lost.
func TestBounds(t *testing.T) {
	var c Counts
	for i := range 2 * MaxAccounts {
		c.Spend(fmt.Sprint("a", i), []string{fmt.Sprint("l", i)}, job.Quota{1})
		c.Complete(fmt.Sprint("r", i))
	}
	if n := len(c.Spent); n != MaxAccounts+1 || c.Spent[Spent{Account: Other}] != MaxAccounts {
		t.Errorf("%d accounts, the others spent %v", n, c.Spent[Spent{Account: Other}])
	}
	if n := len(c.LabelSpent); n != MaxLabels+1 || c.LabelSpent[LabelSpent{Label: Other}] != 2*MaxAccounts-MaxLabels {
		t.Errorf("%d labels, the others spent %v", n, c.LabelSpent[LabelSpent{Label: Other}])
	}
	if n := len(c.Completed); n != maxReasons+1 || c.Completed[Other] != 2*MaxAccounts-maxReasons {
		t.Errorf("%d reasons, %d others", n, c.Completed[Other])
	}
}

func TestHistogram(t *testing.T) {
	h := NewHistogram(1, 10, 100)
	for _, v := range []float64{0, 1, 1.5, 10, 1000} {
		h.Observe(v)
	}
	before := h.Clone()
	h.Observe(50)
	total, upTo := before.Cumulative()
	if d := cmp.Diff(map[float64]uint64{1: 2, 10: 4, 100: 4}, upTo); d != "" || total != 5 || before.Sum != 1012.5 {
		t.Errorf("%s, %d in all, %v together", d, total, before.Sum)
	}
	if total, upTo = h.Cumulative(); total != 6 || upTo[100] != 5 {
		t.Errorf("then %d and %v", total, upTo)
	}
}
