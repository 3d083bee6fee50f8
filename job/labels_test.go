package job

import (
	"slices"
	"strings"
	"testing"
)

func TestLabelsAreChecked(t *testing.T) {
	many := make(Labels, MaxList+1)
	for i := range many {
		many[i] = "a:b"
	}
	for bad, says := range map[string]string{
		"gpu": "KEY:VALUE", "": "KEY:VALUE", ":a100": "before or after the colon", "gpu:": "before or after the colon",
		"gpu:tesla v100": "blank", "gpu:\x00": "control", "gpu:\xff": "UTF-8", "a:" + strings.Repeat("b", MaxName): "at most 255",
	} {
		err := Labels{"a:b", bad}.Validate("--label")
		if !IsKind(err, Invalid) || !strings.Contains(err.Error(), says) || !strings.HasPrefix(err.Error(), "--label: ") {
			t.Errorf("%q: %v; want an invalid error that says %q", bad, err, says)
		}
	}
	if err := many.Validate("labels"); !IsKind(err, Invalid) {
		t.Errorf("%d labels: %v", len(many), err)
	}
	if err := (Labels{"gpu:größe", "a:b:c", "a:c"}).Validate("labels"); err != nil {
		t.Error(err)
	}
	w := Worker{Name: "w", Labels: Labels{"nonsense"}}
	if err := w.Validate(); !IsKind(err, Invalid) || !strings.Contains(err.Error(), "worker w: labels") {
		t.Errorf("a worker's: %v", err)
	}
	q := Queue{Name: "q", Prefer: Labels{"nonsense"}}
	if err := q.Validate(); !IsKind(err, Invalid) || !strings.Contains(err.Error(), "queue q: prefer") {
		t.Errorf("a queue's: %v", err)
	}
}

func TestLabelsAreSets(t *testing.T) {
	l := Labels{"gpu:a100", "gpu:v100", "os:linux"}
	if got := l.OfKey("gpu"); !slices.Equal(got, l[:2]) {
		t.Errorf("of key gpu: %v", got)
	}
	if got := l.Without(Labels{"gpu:v100"}); !slices.Equal(got, Labels{"gpu:a100", "os:linux"}) {
		t.Errorf("without one: %v", got)
	}
	if got := l.With(Labels{"arch:x", "os:linux"}); !slices.Equal(got, Labels{"arch:x", "gpu:a100", "gpu:v100", "os:linux"}) {
		t.Errorf("with more: %v", got)
	}
	if got := l.With(nil); &got[0] != &l[0] {
		t.Error("nothing to add makes a copy")
	}
}

func TestLabelOfText(t *testing.T) {
	for text, want := range map[string]string{
		"NVIDIA A100-SXM4-40GB": "gpu:NVIDIA-A100-SXM4-40GB", " a \t b\n": "gpu:a-b", "": "", " \xff": "", "a\x00b": "gpu:a-b",
		strings.Repeat("é", MaxName): "gpu:" + strings.Repeat("é", (MaxName-4)/2),
	} {
		got := Label("gpu", text)
		if got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
		if got != "" {
			if err := (Labels{got}).Validate("label"); err != nil {
				t.Error(err)
			}
		}
	}
}
