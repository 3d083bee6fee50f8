package house

import (
	"fmt"
	"go/ast"
	"path"
	"slices"
)

// The bounds on sizes, in lines. They are those of code bases that people love
// to read: small files, small functions, hardly anything long.
const (
	maxFile     = 600
	maxFunction = 80

	maxMedianFile     = 150
	maxMedianFunction = 11
	maxP90Function    = 45
)

// Function is one function or method that a person wrote, with its length.
type Function struct {
	// Subject is "dir.Function" or "dir.Type.Method".
	Subject string
	File    string
	Line    int
	Lines   int
}

// Sizes are the numbers that tell how the code reads, in lines; tests and
// generated code are not in them, except where the name says so.
type Sizes struct {
	Files, Functions               int
	CodeLines, TestLines           int
	MedianFile, P90File            int
	MedianFunction, P90Function    int
	LongestFile, LongestFunction   int
	LongestFileName, LongestFnName string
}

// String is a line for people, quoted in docs/architecture.md.
func (s Sizes) String() string {
	return fmt.Sprintf("%d files, median %d lines, p90 %d, longest %d (%s); %d functions, median %d lines, p90 %d, longest %d (%s); %d lines of code, %d of tests",
		s.Files, s.MedianFile, s.P90File, s.LongestFile, s.LongestFileName,
		s.Functions, s.MedianFunction, s.P90Function, s.LongestFunction, s.LongestFnName, s.CodeLines, s.TestLines)
}

// Measure takes the numbers of the module.
func (m *Module) Measure() Sizes {
	var s Sizes
	var files, functions []int
	m.eachFile(func(_ *Package, f *File) {
		switch {
		case f.Generated:
			return
		case f.Test:
			s.TestLines += f.Lines
			return
		}
		s.CodeLines += f.Lines
		files = append(files, f.Lines)
		if f.Lines > s.LongestFile {
			s.LongestFile, s.LongestFileName = f.Lines, f.Name
		}
	})
	for _, fn := range m.Functions() {
		functions = append(functions, fn.Lines)
		if fn.Lines > s.LongestFunction {
			s.LongestFunction, s.LongestFnName = fn.Lines, fn.Subject
		}
	}
	s.Files, s.Functions = len(files), len(functions)
	s.MedianFile, s.P90File = quantile(files, 50), quantile(files, 90)
	s.MedianFunction, s.P90Function = quantile(functions, 50), quantile(functions, 90)
	return s
}

// Functions are all functions but those of tests and of generated files.
func (m *Module) Functions() []Function {
	var all []Function
	m.eachFile(func(p *Package, f *File) {
		if f.Test || f.Generated {
			return
		}
		for _, decl := range f.ast.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok {
				start, end := f.line(fn), f.fset.Position(fn.End()).Line
				all = append(all, Function{p.Dir + "." + functionName(fn), f.Name, start, end - start + 1})
			}
		}
	})
	return all
}

// Lengths finds files and functions longer than the bounds.
func (m *Module) Lengths() []Violation {
	var found []Violation
	m.eachFile(func(_ *Package, f *File) {
		if !f.Generated && f.Lines > maxFile {
			found = append(found, Violation{f.Name, 0, fmt.Sprintf("has %d lines; a file has at most %d, so give one of its nouns a file of its own", f.Lines, maxFile)})
		}
	})
	for _, fn := range m.Functions() {
		if fn.Lines > maxFunction {
			found = append(found, Violation{fn.Subject, fn.Line, fmt.Sprintf("has %d lines (%s); a function has at most %d", fn.Lines, path.Base(fn.File), maxFunction)})
		}
	}
	return found
}

func (m *Module) eachFile(visit func(*Package, *File)) {
	for _, p := range m.Packages {
		for _, f := range p.Files {
			visit(p, f)
		}
	}
}

func functionName(fn *ast.FuncDecl) string {
	if fn.Recv == nil || len(fn.Recv.List) == 0 {
		return fn.Name.Name
	}
	t := fn.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.Name + "." + fn.Name.Name
		default:
			return fn.Name.Name
		}
	}
}

// quantile is the value below which about percent of the values lie.
func quantile(values []int, percent int) int {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[min(len(values)*percent/100, len(values)-1)]
}
