package api

import (
	"slices"

	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

// ToAccount is the account of a message, not validated. The error is Invalid and
// names the field.
func ToAccount(m *musterv1.Account) (*job.Account, error) {
	a := &job.Account{
		Name: m.GetName(), Description: m.GetDescription(), MaxFanout: int(m.GetMaxFanout()), NoFree: m.GetNoFree(),
	}
	var err error
	if a.Rate, err = ToQuota("rate", m.GetRate()); err != nil {
		return nil, err
	}
	if a.Window, err = ToDuration("window", m.GetWindow()); err != nil {
		return nil, err
	}
	if len(m.GetLabelLimits()) > 0 {
		a.LabelLimits = make(map[string]int, len(m.LabelLimits))
		for key, n := range m.LabelLimits {
			a.LabelLimits[key] = int(n)
		}
	}
	return a, nil
}

// FromAccount is a as a message.
func FromAccount(a *job.Account) *musterv1.Account {
	m := &musterv1.Account{
		Name: valid(a.Name), Description: valid(a.Description), Rate: FromQuota(a.Rate), Window: FromDuration(a.Window),
		MaxFanout: i32(a.MaxFanout), NoFree: a.NoFree,
	}
	if len(a.LabelLimits) > 0 {
		m.LabelLimits = make(map[string]int32, len(a.LabelLimits))
		for key, n := range a.LabelLimits {
			m.LabelLimits[valid(key)] = i32(n)
		}
	}
	return m
}

// ToQuota reads a number for each level; missing ones are zero. The error is
// Invalid and names the field.
func ToQuota(field string, levels []float64) (job.Quota, error) {
	q, err := job.QuotaOf(levels...)
	return q, job.Wrap(err, "", field)
}

// FromQuota has a number for each level, up to the last that is not zero.
func FromQuota(q job.Quota) []float64 {
	n := len(q)
	for n > 0 && q[n-1] == 0 {
		n--
	}
	return slices.Clone(q[:n])
}
