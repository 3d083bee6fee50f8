package house

import (
	"go/ast"
	"path"
	"slices"
	"strings"
)

// pure are the families that decide and never do: the same input gives the same
// output, so the simulator, the tests and --explain run the very code that
// schedules. Time and randomness come to them as arguments.
var pure = []string{"job", "queue", "schedule"}

// clocked are the families that read time only through the injected clock, which
// lives in a file named clock.go. Their timers are those of package time, which
// testing/synctest simulates.
var clocked = []string{"engine"}

// clockFile is the one file of a clocked family that may ask the machine.
const clockFile = "clock.go"

// readings are the functions of package time that ask the machine's clock.
var readings = []string{"Now", "Since", "Until", "Sleep"}

// waits are those that wait for it.
var waits = []string{"After", "AfterFunc", "Tick", "NewTicker", "NewTimer"}

// impure are imports with which a package could look at the world outside. By itself
// io/fs cannot: it has the words for what goes wrong with files.
var impure = []string{"net", "os", "io/ioutil", "syscall", "math/rand", "math/rand/v2", "crypto/rand", "log", "log/slog", "sync", "context"}

// Purity finds clocks, I/O and goroutines where there must be none.
func (m *Module) Purity() []Violation {
	var found []Violation
	m.eachFile(func(p *Package, f *File) {
		if f.Test || f.Generated {
			return
		}
		var forbidden []string
		family := familyOf(p.Dir)
		switch {
		case slices.Contains(pure, family):
			found = append(found, f.outside(family)...)
			forbidden = slices.Concat(readings, waits)
		case slices.Contains(clocked, family) && path.Base(f.Name) != clockFile:
			forbidden = readings
		}
		f.calls("time", forbidden, func(name string, line int) {
			found = append(found, Violation{f.Name, line, name + " in " + family + "; time comes in as an argument or from the injected clock"})
		})
	})
	return found
}

// outside finds a pure file's imports of the world and its go statements.
func (f *File) outside(family string) []Violation {
	var found []Violation
	f.imports(func(importPath string, line int) {
		if slices.Contains(impure, importPath) || strings.HasPrefix(importPath, "net/") || strings.HasPrefix(importPath, "os/") {
			found = append(found, Violation{f.Name, line, family + " is pure and imports " + importPath})
		}
	})
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if g, ok := n.(*ast.GoStmt); ok {
			found = append(found, Violation{f.Name, f.line(g), family + " is pure and starts a goroutine"})
		}
		return true
	})
	return found
}
