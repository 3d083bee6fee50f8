package external

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-queue/muster/job"
)

// Cases 93 and 94: labels of slices.
func TestLabels(t *testing.T) {
	for _, c := range []struct {
		name       string
		slices     [][]string
		base, more []string
		bad        string
	}{
		{name: "no slice", bad: "0 slices"},
		{name: "three", slices: [][]string{{"a"}, {"a"}, {"a"}}, bad: "3 slices"},
		{name: "no part", slices: [][]string{{"a", "b"}, {"a", "c"}}, bad: `the second slice has "c"`},
		{name: "one", slices: [][]string{{"b", "a", "b"}}, base: []string{"a", "b"}},
		{name: "two", slices: [][]string{{"b1", "b2", "p1", "p2"}, {"b2", "b1"}}, base: []string{"b1", "b2"}, more: []string{"p1", "p2"}},
		{name: "the same", slices: [][]string{{"a"}, {"a"}}, base: []string{"a"}},
		{name: "all preferred", slices: [][]string{{"a"}, {}}, more: []string{"a"}},
	} {
		base, more, err := Labels(c.slices)
		if c.bad != "" {
			if !job.IsKind(err, job.Invalid) || !strings.Contains(err.Error(), c.bad) {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if err != nil || !slices.Equal(base, c.base) || !slices.Equal(more, c.more) {
			t.Errorf("%s: %q, %q, %v", c.name, base, more, err)
		}
	}
}

// Case 95: the account of tags.
func TestAccountOfTags(t *testing.T) {
	for _, c := range []struct {
		tags []string
		want string
		bad  bool
	}{
		{tags: nil},
		{tags: []string{"foo:1"}},
		{tags: []string{"x:y", "qs_account:foo"}, want: "foo"},
		{tags: []string{"qs_account:a:b"}, want: "a:b"},
		{tags: []string{"qs_account:foo", "qs_account:foo"}, bad: true},
		{tags: []string{"qs_account:", "qs_account:foo"}, bad: true},
		{tags: []string{"qs_account:" + strings.Repeat("x", job.MaxName+1)}, bad: true},
	} {
		got, err := Account(c.tags)
		if got != c.want || job.IsKind(err, job.Invalid) != c.bad {
			t.Errorf("%.60q: %q, %v", c.tags, got, err)
		}
	}
}

func TestCategories(t *testing.T) {
	for state, want := range map[State]State{
		0x10: waiting, 0x11: waiting, 0x20: running, 0x2f: running, 0x30: 0x30, 0x33: 0x30, 0x40: 0x40, 0x43: 0x40, 0x50: 0x50, 0x57: 0x50,
	} {
		if got, ok := state.category(); got != want || !ok {
			t.Errorf("%#x: %#x, %v", state, got, ok)
		}
	}
	for _, state := range []State{0, 1, 0x0f, 0x60, 0x100, 0x110, -1, -0x10, 1 << 30} {
		if got, ok := state.category(); ok {
			t.Errorf("%#x: %#x", state, got)
		}
	}
}

func TestTimes(t *testing.T) {
	for at, good := range map[time.Time]bool{
		noon: true, noon.Add(MaxAhead): true, noon.Add(-20 * 365 * 24 * time.Hour): true, time.Unix(0, 0): true,
		noon.Add(MaxAhead + 1): false, time.Unix(-1, 0): false, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC): false,
	} {
		if err := checkTime(at, noon); (err == nil) != good {
			t.Errorf("%v: %v", at, err)
		}
	}
}
