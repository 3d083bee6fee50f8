package api

import (
	"maps"

	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

// Limits are what a granted command may use at most: what was set aside for it,
// unless the grant says otherwise.
func Limits(m *musterv1.Grant) job.Resources {
	if len(m.GetLimits()) == 0 {
		return m.GetNeeds()
	}
	limits := maps.Clone(m.Needs)
	if limits == nil {
		limits = job.Resources{}
	}
	for name, n := range m.Limits {
		if limits[name] = n; n == 0 {
			delete(limits, name)
		}
	}
	return limits
}
