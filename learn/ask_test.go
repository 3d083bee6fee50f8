package learn

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/muster-queue/muster/job"
)

func knows(mb int64, below bool) Estimate {
	e := Estimate{Asked: Nothing, Below: below}
	if mb != Unknown {
		e.Asked[Memory] = mb * MB
	}
	return e
}

const none = int64(Unknown)

// Every override with every relation of what was given and what was learned.
func TestOverride(t *testing.T) {
	for _, c := range []struct {
		name           string
		override       job.Override
		given, learned int64 // MB
		below          bool
		want           int64
		source         Source
	}{
		{"nothing known", job.OverrideNo, none, none, false, 0, Unsourced},
		{"not given", job.OverrideNo, none, 200, false, 200, Learned},
		{"not given, always", job.OverrideAlways, none, 200, false, 200, Learned},
		{"not learned", job.OverrideNo, 500, none, false, 500, Given},

		{"no, given higher", job.OverrideNo, 500, 200, false, 500, Given},
		{"no, learned higher", job.OverrideNo, 100, 200, false, 200, Learned},
		{"no, equal", job.OverrideNo, 200, 200, false, 200, Given},
		{"no, given higher, below", job.OverrideNo, 500, 200, true, 200, Learned},
		{"no, learned higher, below", job.OverrideNo, 100, 200, true, 200, Learned},

		{"higher, given higher", job.OverrideHigher, 500, 200, false, 500, Given},
		{"higher, learned higher", job.OverrideHigher, 100, 200, false, 200, Learned},
		{"higher, given higher, below", job.OverrideHigher, 500, 200, true, 500, Given},

		{"always, given higher", job.OverrideAlways, 500, 200, true, 500, Given},
		{"always, learned higher", job.OverrideAlways, 100, 200, false, 100, Given},
		{"always, given none", job.OverrideAlways, 0, 200, false, 0, Given},
	} {
		w := Wants{Override: c.override, Learned: knows(c.learned, c.below)}
		if c.given != none {
			w.Needs = job.Resources{job.Memory: c.given * MB}
		}
		a := w.Ask()
		if a.Needs[job.Memory] != c.want*MB || a.Sources[Memory] != c.source {
			t.Errorf("%s: %d MB %v; want %d %v", c.name, a.Needs[job.Memory]/MB, a.Sources[Memory], c.want, c.source)
		}
	}
}

func TestLimits(t *testing.T) {
	mem := func(mb int64) job.Resources { return job.Resources{job.Memory: mb * MB} }
	raised := Amounts{Memory: 1200 * MB}
	for name, c := range map[string]struct {
		w      Wants
		limit  int64
		source Source
	}{
		"none":                    {Wants{Learned: knows(none, false)}, none, Unsourced},
		"given":                   {Wants{Needs: mem(500), Learned: knows(200, false)}, 500, Given},
		"default":                 {Wants{Defaults: mem(300), Learned: knows(none, false)}, 300, Default},
		"an estimate is no limit": {Wants{Learned: knows(200, false)}, 1200, Learned},
		"raised":                  {Wants{Learned: knows(200, false), Raised: raised}, 1200, Raised},
		"raised above the given":  {Wants{Needs: mem(64), Learned: knows(none, false), Raised: raised}, 1200, Raised},
		"not raised with always":  {Wants{Needs: mem(64), Override: job.OverrideAlways, Learned: knows(none, false), Raised: raised}, 64, Given},
		"always without a need":   {Wants{Override: job.OverrideAlways, Learned: knows(none, false), Raised: raised}, 1200, Raised},
		"learned above raised":    {Wants{Learned: knows(2000, false), Raised: raised}, 4000, Learned},
	} {
		want := c.limit
		if want != Unknown {
			want *= MB
		}
		if a := c.w.Ask(); a.Limits[Memory] != want || a.Sources[Memory] != c.source {
			t.Errorf("%s: %d MB %v; want %d %v", name, a.Limits[Memory]/MB, a.Sources[Memory], c.limit, c.source)
		}
	}
}

// Nobody is ended for the time that others took.
func TestTime(t *testing.T) {
	hour := Estimate{Asked: Nothing}
	hour.Asked[Time] = int64(time.Hour)
	for name, c := range map[string]struct {
		w           Wants
		time, limit time.Duration
	}{
		"learned":               {Wants{Learned: hour}, time.Hour, Unknown},
		"given more":            {Wants{Learned: hour, Time: 2 * time.Hour}, 2 * time.Hour, 2 * time.Hour},
		"given less":            {Wants{Learned: hour, Time: time.Minute}, time.Minute, time.Minute},
		"given less, always":    {Wants{Learned: hour, Time: time.Minute, Override: job.OverrideAlways}, time.Minute, time.Minute},
		"raised":                {Wants{Learned: hour, Time: time.Hour, Raised: Amounts{Time: int64(3 * time.Hour)}}, 3 * time.Hour, 3 * time.Hour},
		"shorter than expected": {Wants{Learned: Estimate{Asked: hour.Asked, Below: true}, Time: 9 * time.Hour}, time.Hour, 9 * time.Hour},
	} {
		a := c.w.Ask()
		if a.Time != c.time || time.Duration(a.Limits[Time]) != c.limit {
			t.Errorf("%s: %v, limit %v; want %v and %v", name, a.Time, time.Duration(a.Limits[Time]), c.time, c.limit)
		}
		if _, there := a.Needs["time"]; there {
			t.Errorf("%s: time is among the resources", name)
		}
	}
}

func TestLargestMachine(t *testing.T) {
	most := Amounts{Memory: 1000 * MB}
	for name, c := range map[string]struct {
		w    Wants
		want int64
	}{
		"learning stops there":         {Wants{Most: most, Learned: knows(1100, false)}, 1000},
		"but not below the given":      {Wants{Most: most, Learned: knows(1900, false), Needs: job.Resources{job.Memory: 1050 * MB}}, 1050},
		"there is none":                {Wants{Most: Amounts{Memory: None}, Learned: knows(1100, false)}, 0},
		"raising stops there":          {Wants{Most: most, Learned: knows(none, false), Raised: Amounts{Memory: 1800 * MB}}, 1000},
		"what was given stays":         {Wants{Most: most, Learned: knows(none, false), Needs: job.Resources{job.Memory: 1500 * MB}}, 1500},
		"and is not lowered by a kill": {Wants{Most: most, Learned: knows(none, false), Needs: job.Resources{job.Memory: 1500 * MB}, Raised: Amounts{Memory: 3000 * MB}}, 1500},
	} {
		if got := c.w.Ask().Needs[job.Memory]; got != c.want*MB {
			t.Errorf("%s: %d MB; want %d", name, got/MB, c.want)
		}
	}
}

func TestRaise(t *testing.T) {
	for _, c := range []struct {
		r       Resource
		n, want int64 // MB, minutes
	}{
		{Memory, 0, 1000}, {Memory, 64, 1100}, {Memory, 200, 1200}, {Memory, 1000, 2000}, {Memory, 1501, 3100},
		{Memory, 8192, 16400}, {Memory, 8193, 10700}, {Memory, 20000, 26000},
		{Disk, 10, 200}, {Disk, 1000, 1300}, {Disk, 333, 500},
		{Time, 1, 31}, {Time, 60, 90}, {Time, 100, 130}, {Time, 600, 780},
	} {
		unit := int64(MB)
		if c.r == Time {
			unit = int64(time.Minute)
		}
		if got := c.r.Raise(c.n * unit); got != c.want*unit {
			t.Errorf("%v %d is raised to %d; want %d", c.r, c.n, got/unit, c.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(0, job.MaxAmount).Draw(t, "n")
		for i := range NumResources {
			if got := Resource(i).Raise(n); got < 0 || got > job.MaxAmount || got <= n && n < job.MaxAmount/8 {
				t.Fatalf("%d raised to %d", n, got)
			}
		}
	})
}

// What an attempt asks for never leaves out what was given, never is below it
// unless that was allowed, and its limit is never below its need.
func TestAskAlways(t *testing.T) {
	amount := rapid.OneOf(rapid.Just(none), rapid.Int64Range(0, 1<<40))
	rapid.Check(t, func(t *rapid.T) {
		w := Wants{
			Override: job.Override(rapid.IntRange(0, 2).Draw(t, "override")), Needs: job.Resources{job.CPU: 1, "gpu": 2},
			Learned: Estimate{Below: rapid.Bool().Draw(t, "below")}, Defaults: job.Resources{job.Memory: 5},
		}
		given := amount.Draw(t, "given")
		if given != none {
			w.Needs[job.Memory], w.Needs[job.Disk] = given, given
		}
		for i := range NumResources {
			w.Learned.Asked[i] = amount.Draw(t, "learned")
			w.Raised[i] = max(amount.Draw(t, "raised"), 0)
			w.Most[i] = amount.Draw(t, "most")
		}
		a := w.Ask()
		if a.Needs[job.CPU] != 1 || a.Needs["gpu"] != 2 {
			t.Fatalf("%v", a.Needs)
		}
		for _, r := range [...]Resource{Memory, Disk} {
			n, there := a.Needs[r.String()]
			if there != (a.Sources[r] != Unsourced) || n < 0 || given != none && n < given && (w.Override != job.OverrideNo || !w.Learned.Below) {
				t.Fatalf("%v: %+v asks for %d (%v)", r, w, n, a.Sources[r])
			}
			if a.Limits[r] != Unknown && a.Limits[r] < n && n < job.MaxAmount/8 {
				t.Fatalf("%v: %+v limits %d to %d", r, w, n, a.Limits[r])
			}
		}
	})
}
