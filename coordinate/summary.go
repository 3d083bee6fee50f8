package coordinate

import "github.com/muster-queue/muster/engine"

// Summarizable is what can be counted for metrics.
type Summarizable interface {
	// Summarize counts work units, in any order and without zeros.
	Summarize() (Summary, error)
}

// Summary are numbers of work units.
type Summary []SummaryRecord

// SummaryRecord is the number of work units of one work spec in one state.
type SummaryRecord struct {
	Namespace string         `json:"namespace"`
	WorkSpec  string         `json:"work_spec"`
	Status    WorkUnitStatus `json:"status"`
	Count     int            `json:"count"`
}

// Summarize implements Coordinate.
func (w *world) Summarize() (Summary, error) {
	namespaces, err := w.Namespaces()
	if err != nil {
		return nil, err
	}
	var all Summary
	for _, ns := range namespaces {
		s, err := ns.Summarize()
		if err != nil {
			return nil, err
		}
		all = append(all, s...)
	}
	return all, nil
}

// Summarize implements Namespace.
func (n *namespace) Summarize() (all Summary, err error) {
	err = n.eachSpec(func(q engine.QueueInfo) { all = append(all, n.summary(q)...) })
	return all, err
}

// Summarize implements WorkSpec.
func (s *workSpec) Summarize() (Summary, error) {
	q, err := s.queue()
	if err != nil {
		return nil, gone(err)
	}
	return s.summary(q), nil
}

func (n *namespace) summary(q engine.QueueInfo) (all Summary) {
	for status, count := range countUnits(q.Counts) {
		all = append(all, SummaryRecord{Namespace: n.name, WorkSpec: q.Name, Status: status, Count: count})
	}
	return all
}
