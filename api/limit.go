package api

import (
	"strconv"

	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

// ToLimit is the limit of a message, not validated. The error is Invalid and names
// the field.
func ToLimit(m *musterv1.Limit) (*job.Limit, error) {
	l := &job.Limit{Name: m.GetName(), Max: job.AnyNumber}
	if m != nil && m.Max != nil {
		if l.Max = *m.Max; l.Max < 0 {
			return nil, job.Errorf(job.Invalid, "max: %d is negative; leave it out for any number", l.Max)
		}
	}
	var err error
	if l.Period, err = ToDuration("period", m.GetPeriod()); err != nil {
		return nil, err
	}
	if n := len(m.GetWindows()); n > job.MaxWindows {
		return nil, job.Errorf(job.Invalid, "windows: %d; at most %d", n, job.MaxWindows)
	}
	for i, text := range m.GetWindows() {
		w, err := job.ParseWindow(text)
		if err != nil {
			return nil, job.Wrap(err, "", "windows["+strconv.Itoa(i)+"]")
		}
		l.Windows = append(l.Windows, w)
	}
	return l, nil
}

// FromLimit is l as a message.
func FromLimit(l *job.Limit) *musterv1.Limit {
	m := &musterv1.Limit{Name: valid(l.Name), Period: FromDuration(l.Period)}
	if l.Max >= 0 {
		m.Max = &l.Max
	}
	for _, w := range l.Windows {
		m.Windows = append(m.Windows, valid(w.String()))
	}
	return m
}
