package engine

import (
	"strings"

	"github.com/muster-queue/muster/queue"
)

// GroupMatch says which groups are meant: one by its name, those whose names begin with
// Prefix, or those whose names have Part in them. Its zero value means all.
type GroupMatch struct{ Name, Prefix, Part string }

func (m *GroupMatch) matches(name string) bool {
	return (m.Name == "" || m.Name == name) && strings.HasPrefix(name, m.Prefix) && strings.Contains(name, m.Part)
}

// groupWork is how many names of groups one turn looks at.
const groupWork = 10_000

// groupsMatching lists at most limit groups that match, in the order of their names after
// the one given. next is where to go on; empty at the end.
func (w *writer) groupsMatching(m *GroupMatch, after string, limit int) (list []queue.Named, next string) {
	if m.Name != "" {
		g, ok := w.state.GroupNamed(m.Name)
		if ok && m.Name > after && m.matches(m.Name) {
			list = append(list, g)
		}
		return list, ""
	}
	if after < m.Prefix { // the first one has the prefix as its name
		after = m.Prefix
		if g, ok := w.state.GroupNamed(m.Prefix); ok && m.matches(m.Prefix) {
			list = append(list, g)
		}
	}
	for looked := 0; ; {
		page := w.state.Groups(after, MaxPage)
		for _, g := range page {
			switch {
			case !strings.HasPrefix(g.Name, m.Prefix):
				return list, ""
			case len(list) == limit:
				return list, after
			}
			if after = g.Name; m.matches(g.Name) {
				list = append(list, g)
			}
		}
		if looked += len(page); len(page) < MaxPage {
			return list, ""
		}
		if looked >= groupWork {
			return list, after
		}
	}
}
