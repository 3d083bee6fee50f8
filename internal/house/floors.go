package house

import (
	"fmt"
	"slices"
	"strings"
)

// floors lists the families of packages, ground floor first. A family is a
// directory at the root with all below it; a package imports only from its own
// family and from the floors below, so that no cycle of ideas can form and a
// reader can start at the bottom.
var floors = [][]string{
	{"job"},
	// Schedules and notices are words too, with the rules that make sense of them.
	{"cron", "notice"},
	// What runs teach is arithmetic on the words of job.
	{"learn"},
	// The wire contract speaks those words; the page is only files.
	{"api", "web"},
	{"schedule", "queue", "store", "repository", "lock", "tally", "summary", "emulate"},
	// The client knows the contract and nothing of the inside.
	{"engine", "client", "simulate"},
	{"dispatch", "pool", "agent", "coordinate"},
	{"server"},
	// The root package puts a whole muster together.
	{"."},
	{"worker", "jobqueue", "sched", "bench"},
	{"cli"},
	{"cmd", "examples"},
}

// internal is for leaves that any floor may use; they know the ground floor only.
const internal = "internal"

// Floors finds the imports that go up, or sideways to a neighbour. Tests are
// free: a client's test needs a server to talk to.
func (m *Module) Floors() []Violation {
	var found []Violation
	for _, p := range m.Packages {
		if !p.Code() {
			continue
		}
		family := familyOf(p.Dir)
		floor, known := floorOf(family)
		if !known {
			found = append(found, Violation{p.Dir, 0, "is not in the table of floors; add its family to floors where it belongs"})
			continue
		}
		for _, f := range p.Files {
			found = append(found, m.climbs(f, family, floor)...)
		}
	}
	return found
}

func (m *Module) climbs(f *File, family string, floor int) []Violation {
	if f.Test {
		return nil
	}
	var found []Violation
	f.imports(func(importPath string, line int) {
		dir, ok := m.dirOf(importPath)
		if !ok {
			return
		}
		other := familyOf(dir)
		below, known := floorOf(other)
		if other == family || known && below < floor || other == internal && family != internal {
			return
		}
		found = append(found, Violation{f.Name, line, fmt.Sprintf("%s imports %s, which is not on a floor below it", family, dir)})
	})
	return found
}

// dirOf is the directory of a package of this module.
func (m *Module) dirOf(importPath string) (string, bool) {
	if importPath == m.Path {
		return ".", true
	}
	return strings.CutPrefix(importPath, m.Path+"/")
}

func familyOf(dir string) string {
	family, _, _ := strings.Cut(dir, "/")
	return family
}

func floorOf(family string) (int, bool) {
	if family == internal {
		return 1, true
	}
	for i, families := range floors {
		if slices.Contains(families, family) {
			return i, true
		}
	}
	return 0, false
}
