package cron

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/muster-queue/muster/job"
)

func TestDue(t *testing.T) {
	for _, c := range []struct {
		name       string
		schedule   Schedule
		last, now  string
		want       []string
		wantMissed int
	}{
		{"nothing", Schedule{}, "03:00:00", "03:09:59", nil, 0},
		{"on time", Schedule{}, "03:00:00", "03:10:00", []string{"03:10:00"}, 0},
		{"late by less than a minute", Schedule{Missed: MissedSkip}, "03:00:00", "03:10:59", []string{"03:10:00"}, 0},
		{"skip", Schedule{Missed: MissedSkip}, "03:00:00", "03:35:00", nil, 3},
		{"skip but for the one on time", Schedule{Missed: MissedSkip}, "03:00:00", "03:30:30", []string{"03:30:00"}, 2},
		{"once", Schedule{}, "03:00:00", "03:35:00", []string{"03:30:00"}, 2},
		{"once, and one is on time", Schedule{}, "03:00:00", "03:30:00", []string{"03:30:00"}, 2},
		{"all", Schedule{Missed: MissedAll}, "03:00:00", "03:30:00", []string{"03:10:00", "03:20:00", "03:30:00"}, 0},
		{"all up to a bound", Schedule{Missed: MissedAll, MissedMax: 2}, "00:00:00", "03:35:00", []string{"03:20:00", "03:30:00"}, 19},
		{"before its start", Schedule{Start: job.TimeOf(at(t, "2030-01-02T03:20:00Z"))}, "03:00:00", "03:19:00", nil, 0},
		{"at its start", Schedule{Start: job.TimeOf(at(t, "2030-01-02T03:20:00Z"))}, "03:00:00", "03:20:00", []string{"03:20:00"}, 0},
		{"at its end", Schedule{End: job.TimeOf(at(t, "2030-01-02T03:20:00Z")), Missed: MissedAll}, "03:00:00", "03:30:00", []string{"03:10:00"}, 0},
	} {
		e := mustParse(t, "*/10 * * * *", "", time.Time{})
		fire, missed := c.schedule.Due(e, at(t, "2030-01-02T"+c.last+"Z"), at(t, "2030-01-02T"+c.now+"Z"))
		var got []string
		for _, f := range fire {
			got = append(got, f.Format(time.TimeOnly))
		}
		if !slices.Equal(got, c.want) || missed != c.wantMissed {
			t.Errorf("%s: %v and %d missed, want %v and %d", c.name, got, missed, c.want, c.wantMissed)
		}
	}
}

// Looking often or rarely, no time is told of twice, and what is told of or counted
// as missed is all there is.
func TestDueTellsEachTimeOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom([]string{"* * * * *", "*/7 * * * *", "30 2 * * *", "@every 37s", "0 0 1 * *"}).Draw(t, "expression")
		s := Schedule{Missed: Missed(rapid.IntRange(0, 2).Draw(t, "missed")), MissedMax: rapid.IntRange(0, 20).Draw(t, "max")}
		start := time.Date(2030, 3, 30, 0, 0, 0, 0, time.UTC)
		e, err := Parse(text, "Europe/Berlin", start)
		if err != nil {
			t.Fatal(err)
		}
		last, told, missed := start, map[time.Time]bool{}, 0
		for range 10 {
			now := last.Add(time.Duration(rapid.IntRange(0, 6*3600).Draw(t, "later")) * time.Second)
			fire, m := s.Due(e, last, now)
			for _, f := range fire {
				if told[f] || !f.After(last) || f.After(now) {
					t.Fatalf("told of %v, looking from %v to %v", f, last, now)
				}
				told[f] = true
			}
			missed += m
			last = now
		}
		all := 0
		for next := e.Next(start); !next.After(last); next = e.Next(next) {
			all++
		}
		if len(told)+missed != all && missed < MaxMissed-10 {
			t.Fatalf("%d told and %d missed of %d", len(told), missed, all)
		}
	})
}

// Looking after years is as quick as after a day.
func TestDueAfterYears(t *testing.T) {
	s := Schedule{Missed: MissedAll, MissedMax: 3}
	e := mustParse(t, "@every 1s", "", time.Unix(0, 0))
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	fire, missed := s.Due(e, time.Unix(0, 0), now)
	if len(fire) < 3 || !fire[len(fire)-1].Equal(now) || missed+len(fire) != MaxMissed+1 {
		t.Errorf("%d times and %d missed, the last %v", len(fire), missed, fire[len(fire)-1])
	}
}

func TestValidate(t *testing.T) {
	good := Schedule{Name: "nightly", Expression: "@daily", Job: &job.Job{Command: &job.Command{Line: "true"}}}
	if _, err := good.Validate(time.Time{}); err != nil {
		t.Fatal(err)
	}
	j := good.JobAt(at(t, "2030-01-02T03:00:00+01:00"))
	if j.Key != "nightly@2030-01-02T02:00:00Z" || j.Group != "nightly" || !slices.Contains(j.Command.Env, "MUSTER_CRON_TIME=2030-01-02T02:00:00Z") {
		t.Errorf("job %q of group %q with %q", j.Key, j.Group, j.Command.Env)
	}
	if good.Job.Key != "" || len(good.Job.Command.Env) > 0 {
		t.Error("the template was changed")
	}
	for name, change := range map[string]func(*Schedule){
		"no name":     func(s *Schedule) { s.Name = "" },
		"no job":      func(s *Schedule) { s.Job = nil },
		"a key":       func(s *Schedule) { s.Job = &job.Job{Key: "k", Command: s.Job.Command} },
		"bad job":     func(s *Schedule) { s.Job = &job.Job{} },
		"not before":  func(s *Schedule) { s.Job = &job.Job{NotBefore: time.Unix(1, 0), Command: s.Job.Command} },
		"bound":       func(s *Schedule) { s.MissedMax = MaxMissed + 1 },
		"end":         func(s *Schedule) { s.Start, s.End = 2, 1 },
		"expression":  func(s *Schedule) { s.Expression = "x" },
		"a long name": func(s *Schedule) { s.Name = string(make([]byte, 300)) },
	} {
		s := good
		change(&s)
		if _, err := s.Validate(time.Time{}); !job.IsKind(err, job.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
