package lock

import (
	"maps"
	"slices"
	"strings"

	"github.com/muster-queue/muster/job"
)

// Take is what has to be stored of the changes since the last Take.
func (t *Tree) Take() []job.LockRow {
	if len(t.changed) == 0 {
		return nil
	}
	rows := make([]job.LockRow, 0, len(t.changed))
	for _, p := range slices.Sorted(maps.Keys(t.changed)) {
		row := job.LockRow{Path: string(p), Gone: true}
		if _, h, ok := t.held.Get(p); ok {
			row = job.LockRow{Path: string(p), Owner: h.Owner, Since: h.Since, Until: h.Until, Lease: h.Lease}
		}
		rows = append(rows, row)
	}
	clear(t.changed)
	return rows
}

// Load receives a stored lock. One that has expired meanwhile is released like
// any other, by the next operation.
func (t *Tree) Load(r job.LockRow) {
	h := &Held{Path: Path(r.Path), Owner: r.Owner, Since: r.Since, Until: r.Until, Lease: r.Lease}
	t.held.ReplaceOrInsert(h.Path, h)
	t.due.ReplaceOrInsert(deadline{h.Until, h.Path}, struct{}{})
}

// isBelow reports whether q is a descendant of p.
func isBelow(q, p Path) bool {
	return q != p && strings.HasPrefix(string(q), string(p.below()))
}
