package house

import (
	"go/ast"
	"path"
	"regexp"
	"slices"
	"strings"
)

// vagueNames are no names for a package: what is in it belongs to a noun.
var vagueNames = []string{"util", "utils", "common", "helper", "helpers", "misc", "shared", "base", "lib", "types"}

// Naming finds packages without a doc comment, with more than one, with a
// name that says nothing, or without the file that is named after them.
func (m *Module) Naming() []Violation {
	var found []Violation
	for _, p := range m.Packages {
		if slices.Contains(vagueNames, p.Name) {
			found = append(found, Violation{p.Dir, 0, "package " + p.Name + " says nothing; name it after what it is about"})
		}
		if !p.Written() {
			continue
		}
		switch docs := p.docs(); {
		case len(docs) == 0:
			found = append(found, Violation{p.Dir, 0, "has no package comment; say what it is for and who calls it"})
		case len(docs) > 1:
			found = append(found, Violation{p.Dir, 0, "has a package comment in " + strings.Join(docs, " and ") + "; keep one"})
		}
		if p.Name != "main" && !p.onlyDoc() && !p.has(p.Name+".go") {
			found = append(found, Violation{p.Dir, 0, "has no " + p.Name + ".go; the file named after the package holds its main type"})
		}
	}
	return found
}

// docs names the files of a package that carry a package comment.
func (p *Package) docs() []string {
	var docs []string
	for _, f := range p.Files {
		if !f.Test && f.ast.Doc != nil && (!f.Generated || len(docs) == 0) {
			docs = append(docs, path.Base(f.Name))
		}
	}
	return docs
}

// onlyDoc reports whether a package consists of tests and of doc.go, which says
// what they are for.
func (p *Package) onlyDoc() bool {
	return !slices.ContainsFunc(p.Files, func(f *File) bool { return !f.Test && path.Base(f.Name) != "doc.go" })
}

func (p *Package) has(base string) bool {
	return slices.ContainsFunc(p.Files, func(f *File) bool { return path.Base(f.Name) == base })
}

// Sleeps finds tests that wait for real time to pass. A file that uses
// testing/synctest sleeps in virtual time, which is free.
func (m *Module) Sleeps() []Violation {
	var found []Violation
	m.eachFile(func(_ *Package, f *File) {
		if !f.Test || f.importsPath("testing/synctest") {
			return
		}
		f.calls("time", []string{"Sleep"}, func(name string, line int) {
			found = append(found, Violation{f.Name, line, name + " in a test; wait for a signal, or use testing/synctest"})
		})
	})
	return found
}

var unfinished = regexp.MustCompile(`\b(TODO|FIXME|XXX)\b`)

// Unfinished finds comments that put work off.
func (m *Module) Unfinished() []Violation {
	var found []Violation
	m.eachFile(func(_ *Package, f *File) {
		for _, group := range f.ast.Comments {
			for _, c := range group.List {
				if word := unfinished.FindString(c.Text); word != "" && !f.Generated {
					found = append(found, Violation{f.Name, f.line(c), "a " + word + "; do it, or write an issue"})
				}
			}
		}
	})
	return found
}

// Globals finds package variables that can only be there to change: locks,
// counters, channels. Tables, errors and pools of buffers are fine.
func (m *Module) Globals() []Violation {
	var found []Violation
	m.eachFile(func(_ *Package, f *File) {
		if f.Test || f.Generated {
			return
		}
		for _, decl := range f.ast.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range gen.Specs {
				if v, ok := spec.(*ast.ValueSpec); ok && mutable(v.Type) {
					found = append(found, Violation{f.Name, f.line(v), v.Names[0].Name + " is global state; put it into a type"})
				}
			}
		}
	})
	return found
}

// mutable reports whether a variable of the type exists in order to change.
func mutable(t ast.Expr) bool {
	switch t := t.(type) {
	case *ast.ChanType:
		return true
	case *ast.IndexExpr:
		return mutable(t.X)
	case *ast.SelectorExpr:
		pkg, _ := t.X.(*ast.Ident)
		return pkg != nil && (pkg.Name == "atomic" || pkg.Name == "sync" && t.Sel.Name != "Pool")
	}
	return false
}

// calls visits the uses of functions of an imported package, by name.
func (f *File) calls(importPath string, names []string, visit func(name string, line int)) {
	local := f.localName(importPath)
	if local == "" {
		return
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == local && slices.Contains(names, sel.Sel.Name) {
				visit(importPath+"."+sel.Sel.Name, f.line(sel))
			}
		}
		return true
	})
}

// localName is what a file calls an imported package; empty if it does not.
func (f *File) localName(importPath string) string {
	for _, spec := range f.ast.Imports {
		if strings.Trim(spec.Path.Value, `"`) != importPath {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return path.Base(importPath)
	}
	return ""
}
