package lock

import (
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/muster-queue/muster/job"
)

type tuple []any

func TestPathOf(t *testing.T) {
	id := [16]byte{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef}
	for _, tt := range []struct {
		labels []any
		want   Path
	}{
		{nil, ""},
		{[]any{"usr", []byte("bin")}, "usr/bin"},
		{[]any{""}, "#"},
		{[]any{"", ""}, "#/#"},
		{[]any{"a/b", "100%", "#1", "a#1"}, "a%2Fb/100%25/%231/a#1"},
		{[]any{"ü", []byte{0xff, 0}, "\n"}, "ü/%FF%00/%0A"},
		{[]any{17, int8(-3), uint64(math.MaxUint64)}, "#17/#-3/#18446744073709551615"},
		{[]any{2.0, math.Copysign(0, -1), 0.5, float32(0.25), 1e300}, "#2/#0/#0.5/#0.25/#1e+300"},
		{[]any{math.Inf(1), math.Inf(-1), true, false, nil}, "#inf/#-inf/#true/#false/#null"},
		{[]any{new(big.Int).Lsh(big.NewInt(1), 70)}, "#1180591620717411303424"},
		{[]any{id}, "#01234567-89ab-cdef-0123-456789abcdef"},
		{[]any{tuple{}, tuple{"a", 1, tuple{nil}}, []string{"x,y", "(z)"}}, "#()/#(a,#1,#(#null))/#(x%2Cy,%28z%29)"},
		{[]any{"a,b", "(c)", " d "}, "a,b/(c)/ d "},
	} {
		got, err := PathOf(tt.labels...)
		if err != nil || got != tt.want {
			t.Errorf("PathOf(%v) = %q, %v, want %q", tt.labels, got, err, tt.want)
		}
		again, err := Parse(string(got))
		if err != nil || again != got {
			t.Errorf("Parse(%q) = %q, %v", got, again, err)
		}
	}
}

func TestPathRefused(t *testing.T) {
	deep := any("x")
	for range maxNested + 1 {
		deep = tuple{deep}
	}
	many := make([]any, MaxLabels+1)
	for _, labels := range [][]any{
		{math.NaN()}, {struct{}{}}, {map[string]int{}}, {make(chan int)}, {[3]int{}}, {tuple{math.NaN()}},
		{strings.Repeat("x", MaxPath+1)}, {new(big.Int).Lsh(big.NewInt(1), 1000)}, {deep}, many, {make(tuple, MaxPath+1)},
	} {
		if p, err := PathOf(labels...); !job.IsKind(err, job.Invalid) {
			t.Errorf("PathOf(%T) = %.40q, %v, want an Invalid error", labels[0], p, err)
		}
	}
	for _, text := range []string{
		"/a", "a/", "a//b", "/", "%", "a%4", "%zz", "#x", "#+1", "#0x10", "#1_000", "#nan", "#infinity", "#(", "#(a", "#(a,", "#(a/b)",
		"#(a)b", "#(,a)", "#1 ", strings.Repeat("#(", maxNested+1) + strings.Repeat(")", maxNested+1), strings.Repeat("a/", MaxLabels) + "a",
		strings.Repeat("x", MaxPath+1), strings.Repeat("\x01", MaxPath/2),
	} {
		if p, err := Parse(text); !job.IsKind(err, job.Invalid) {
			t.Errorf("Parse(%.40q) = %.40q, %v, want an Invalid error", text, p, err)
		}
	}
}

func TestParseOneForm(t *testing.T) {
	for text, want := range map[string]Path{
		"%61%2f": "a%2F", "#2.0": "#2", "#-0": "#0", "#007": "#7", "#1e2": "#100", "%23": "%23", "a%23": "a#", "\x00": "%00", "\xff": "%FF",
		"#(%61,#1.0)": "#(a,#1)", "#01234567-89AB-CDEF-0123-456789ABCDEF": "#01234567-89ab-cdef-0123-456789abcdef", "#1e999999": "", "#": "#",
	} {
		got, err := Parse(text)
		if want == "" {
			if !job.IsKind(err, job.Invalid) {
				t.Errorf("Parse(%q) = %q, %v, want an Invalid error", text, got, err)
			}
		} else if got != want || err != nil {
			t.Errorf("Parse(%q) = %q, %v, want %q", text, got, err, want)
		}
	}
}

// FuzzParse: what is read has one form, which reads as itself.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "usr/bin", "#(a,#2)/#", "%FF/#-0.5", "#01234567-89ab-cdef-0123-456789abcdef", "#(#(),#null)/x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text)
		if err != nil {
			if !job.IsKind(err, job.Invalid) {
				t.Fatalf("Parse(%q): %v is not Invalid", text, err)
			}
			return
		}
		if again, err := Parse(string(p)); err != nil || again != p {
			t.Fatalf("Parse(%q) = %q, which reads as %q, %v", text, p, again, err)
		}
	})
}
