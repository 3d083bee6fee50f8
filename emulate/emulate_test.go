package emulate

import (
	"slices"
	"strings"
	"testing"

	"github.com/muster-queue/muster/job"
)

func TestParseArray(t *testing.T) {
	for text, want := range map[string][]int64{
		"3": {3}, "1-4": {1, 2, 3, 4}, "0-20:5": {0, 5, 10, 15, 20}, "1,5,3": {1, 5, 3}, "1-3,2-5": {1, 2, 3, 4, 5},
	} {
		a, err := ParseArray(text, 0)
		if err != nil || !slices.Equal(a.Indices, want) || a.AtOnce != 0 || a.Text != text {
			t.Errorf("%s: %+v, %v; want the indices %v", text, a, err, want)
		}
	}
	a, err := ParseArray("2-10:4%3", 0)
	if err != nil || a.AtOnce != 3 || a.First != 2 || a.Last != 10 || a.Step != 4 {
		t.Errorf("2-10:4%%3: %+v, %v", a, err)
	}
	for _, text := range []string{"", "x", "3-1", "1-", "-3", "1:2", "1-5:0", "1%0", "1%x", "1,,2", "0-10000", "1-2147483647", "1e3", "+1"} {
		if a, err := ParseArray(text, 0); !job.IsKind(err, job.Invalid) {
			t.Errorf("%q: %+v, %v; want an error", text, a, err)
		}
	}
	if _, err := ParseArray("0-3", 1); err == nil {
		t.Error("an array from 1 on has the index 0")
	}
}

func TestWords(t *testing.T) {
	for line, want := range map[string][]string{
		`-J  name -o out`:                      {"-J", "name", "-o", "out"},
		`-R "select[mem>5] rusage[mem=5]" # c`: {"-R", "select[mem>5] rusage[mem=5]"},
		`--wrap='a "b"' c\ d`:                  {`--wrap=a "b"`, "c d"},
		`"a\"b" ''`:                            {`a"b`, ""},
		`# all`:                                nil,
		"":                                     nil,
	} {
		got, err := Words(line)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v; want %q", line, got, err, want)
		}
	}
	if _, err := Words(`a "b`); err == nil {
		t.Error("an open quote was taken")
	}
}

func TestDirectives(t *testing.T) {
	script := "#!/bin/sh\n#SBATCH -n 2\n\n# comment\n#SBATCHX no\n##SBATCH off\n#SBATCH --mem=5 -t 3 # why\necho\n#SBATCH -c 9\n"
	got, err := Directives(script, "#SBATCH", false)
	if err != nil || len(got) != 2 || strings.Join(got[0], " ") != "-n 2" || strings.Join(got[1], " ") != "--mem=5 -t 3" {
		t.Errorf("%q, %v", got, err)
	}
	if got, _ := Directives(script, "#SBATCH", true); len(got) != 3 {
		t.Errorf("of all lines: %q", got)
	}
}

func TestRun(t *testing.T) {
	sh, err := Run("#!/bin/bash -l\necho", "", "a.sh", []string{"x"})
	if want := []string{"/bin/bash", "-l", "-c", "#!/bin/bash -l\necho", "a.sh", "x"}; err != nil || !slices.Equal(sh, want) {
		t.Errorf("%q, %v; want %q", sh, err, want)
	}
	py, err := Run("#!/usr/bin/env python3\nprint()", "", "a.py", nil)
	if err != nil || py[0] != "bash" || !slices.Contains(py, "python3") {
		t.Errorf("%q, %v", py, err)
	}
	if plain, err := Run("echo", "/bin/sh", "bsub", nil); err != nil || plain[0] != "/bin/sh" {
		t.Errorf("%q, %v", plain, err)
	}
	if _, err := Run(strings.Repeat("x", job.MaxWord+1), "/bin/sh", "x", nil); !job.IsKind(err, job.Invalid) {
		t.Errorf("a script that is too long: %v", err)
	}
}

func TestKindOf(t *testing.T) {
	for name, want := range map[string]string{
		"align": "align", "nf-ALIGN_(sample 3)": "nf-ALIGN", "step_12": "step",
		"8bf14b95-8268-44cb-8a9b-0123456789ab": "sbatch", "wf_8bf14b95826844cb8a9b0123456789ab": "wf", "12": "sbatch",
	} {
		if got := KindOf(name, "sbatch"); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"a", "a", true}, {"a", "ab", false}, {"a*", "ab", true}, {"*b", "ab", true}, {"*x*", "axb", true}, {"a*c*e", "abcde", true},
		{"a*c*e", "abde", false}, {"*", "", true}, {"ab*ba", "aba", false},
	} {
		if got := Matches(c.pattern, c.name); got != c.want {
			t.Errorf("%s of %s: %v", c.name, c.pattern, got)
		}
	}
}

func TestElements(t *testing.T) {
	s := &Shown{Seq: 12, Job: &job.Job{Key: "slurm-ab_5", Command: &job.Command{Batch: &job.Batch{Array: "1-10:2", Index: 5, Place: 2}}}}
	if got := s.Elements(); !slices.Equal(got, []uint64{10, 11, 12, 13, 14}) {
		t.Errorf("elements: %v", got)
	}
	if n, ok := s.ElementAt(9); !ok || n != 14 {
		t.Errorf("the element 9: %d, %v", n, ok)
	}
	if _, ok := s.ElementAt(2); ok {
		t.Error("there is no element 2")
	}
	d, ok := s.Dependency(&Wait{Number: 10, Condition: job.ConditionAny})
	if !ok || d.Group != "slurm-ab" || d.Condition != job.ConditionAny {
		t.Errorf("on the array: %+v, %v", d, ok)
	}
	if d, ok = s.Dependency(&Wait{Number: 10, Index: new(int64(3))}); !ok || d.Key != "slurm-ab_3" {
		t.Errorf("on an element: %+v, %v", d, ok)
	}
}

func FuzzParseArray(f *testing.F) {
	f.Add("1-10:2,5%3")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ParseArray(text, 0)
		if err == nil && (len(a.Indices) == 0 || len(a.Indices) > MaxArray || a.First > a.Last) {
			t.Errorf("%q: %+v", text, a)
		}
	})
}

func FuzzWords(f *testing.F) {
	f.Add(`-J "a b" 'c' \d # e`)
	f.Fuzz(func(t *testing.T, line string) {
		if words, err := Words(line); err == nil && len(words) > len(line) {
			t.Errorf("%q: %d words", line, len(words))
		}
	})
}
