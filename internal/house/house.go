// Package house reads the source of the module and says where it breaks the
// rules of the house that docs/architecture.md describes: which package may
// import which, how long a file or a function may be, what keeps a pure package
// pure. Only its own test calls it, on every run of the tests; the linters'
// settings hold no second copy of these rules.
package house

import (
	"bufio"
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// Module is the parsed source of a Go module.
type Module struct {
	// Path is the module's import path.
	Path string
	// Packages are in the order of their directories.
	Packages []*Package
}

// Package is one directory of Go files.
type Package struct {
	// Dir is relative to the module's root, with slashes; "." is the root itself.
	Dir   string
	Name  string
	Files []*File
}

// File is one parsed Go file.
type File struct {
	// Name is relative to the module's root, with slashes.
	Name      string
	Lines     int
	Test      bool
	Generated bool

	fset *token.FileSet
	ast  *ast.File
}

// Violation is one broken rule at one place.
type Violation struct {
	// Subject is a file, a package's directory or "dir.Function": the name under
	// which an exception is listed.
	Subject string
	Line    int
	Problem string
}

// String is the violation as a compiler would print it.
func (v Violation) String() string {
	if v.Line == 0 {
		return v.Subject + ": " + v.Problem
	}
	return fmt.Sprintf("%s:%d: %s", v.Subject, v.Line, v.Problem)
}

// Load parses every package of the module whose go.mod is in root. Nested
// modules, testdata, hidden directories and what npm installed are left out.
func Load(root string) (*Module, error) {
	modPath, err := modulePath(filepath.Join(root, "go.mod"))
	if err != nil {
		return nil, err
	}
	m := &Module{Path: modPath}
	byDir := map[string]*Package{}
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return skipDir(root, name)
		case !strings.HasSuffix(name, ".go"):
			return nil
		}
		return m.addFile(byDir, root, name)
	})
	if err != nil {
		return nil, fmt.Errorf("reading the module in %s: %w", root, err)
	}
	return m, nil
}

// skipDir is fs.SkipDir for a directory that holds no source of this module.
func skipDir(root, name string) error {
	if name == root {
		return nil
	}
	base := filepath.Base(name)
	if base == "testdata" || base == "node_modules" || base == "bin" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
		return fs.SkipDir
	}
	if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

func (m *Module) addFile(byDir map[string]*Package, root, name string) error {
	rel, err := filepath.Rel(root, name)
	if err != nil {
		return err
	}
	rel = filepath.ToSlash(rel)
	src, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, rel, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	p := byDir[path.Dir(rel)]
	if p == nil {
		p = &Package{Dir: path.Dir(rel)}
		byDir[p.Dir] = p
		m.Packages = append(m.Packages, p)
	}
	f := &File{
		Name: rel, Lines: bytes.Count(src, []byte("\n")),
		Test: strings.HasSuffix(rel, "_test.go"), Generated: ast.IsGenerated(tree),
		fset: fset, ast: tree,
	}
	p.Files = append(p.Files, f)
	if !f.Test || p.Name == "" {
		p.Name = strings.TrimSuffix(tree.Name.Name, "_test")
	}
	return nil
}

func modulePath(goMod string) (string, error) {
	f, err := os.Open(goMod)
	if err != nil {
		return "", err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if p, ok := strings.CutPrefix(lines.Text(), "module "); ok {
			return strings.TrimSpace(p), nil
		}
	}
	return "", fmt.Errorf("%s has no module line", goMod)
}

// Code reports whether the package has files other than tests.
func (p *Package) Code() bool {
	for _, f := range p.Files {
		if !f.Test {
			return true
		}
	}
	return false
}

// Written reports whether a person wrote any of the package's code.
func (p *Package) Written() bool {
	for _, f := range p.Files {
		if !f.Test && !f.Generated {
			return true
		}
	}
	return false
}

// imports are the import paths of a file, with their positions.
func (f *File) imports(visit func(importPath string, line int)) {
	for _, spec := range f.ast.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err == nil {
			visit(p, f.line(spec))
		}
	}
}

func (f *File) importsPath(want string) bool {
	found := false
	f.imports(func(p string, _ int) { found = found || p == want })
	return found
}

func (f *File) line(n ast.Node) int { return f.fset.Position(n.Pos()).Line }
