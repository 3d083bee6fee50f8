package learn

import (
	"maps"
	"time"

	"github.com/muster-queue/muster/job"
)

// Source is where the amount of a resource that is asked for comes from.
type Source uint8

// The sources.
const (
	// Unsourced: none of the resource is asked for.
	Unsourced Source = iota
	// Default: the server's default for commands that do not say.
	Default
	// Given: the submitter said so.
	Given
	// Learned: from other runs of the kind.
	Learned
	// Raised: an attempt of the job was ended for too little.
	Raised
)

var sources = [...]string{"", "default", "given", "learned", "raised"}

// String is the source's word.
func (s Source) String() string {
	if int(s) < len(sources) {
		return sources[s]
	}
	return "source?"
}

// Wants are what an attempt's needs follow from.
type Wants struct {
	// Needs are all resources the submitter gave, Time is zero if he gave none.
	Needs    job.Resources
	Time     time.Duration
	Override job.Override
	// Raised are amounts that were raised for this job; zero: none was.
	Raised Amounts
	// Defaults are for resources that are neither given nor learned.
	Defaults job.Resources
	Learned  Estimate
	// Most is the most that the machines have that the job may run on; zero: not
	// known, None: they have none. It bounds what was learned or raised, but not what
	// was given.
	Most Amounts
}

// None is, for Wants.Most, that the machines have none of a resource.
const None = -1

// Ask is what an attempt asks for.
type Ask struct {
	// Needs are set aside for it. They must not be changed.
	Needs job.Resources
	// Time is how long it is expected to take at most; zero: not known.
	Time time.Duration
	// Limits are what it may use of each at most, Unknown where it may use anything.
	// Of what was only estimated that is more than was set aside.
	Limits  Amounts
	Sources [NumResources]Source
}

// Equal reports whether both ask for the same, and why.
func (a *Ask) Equal(b *Ask) bool {
	return a.Time == b.Time && a.Limits == b.Limits && a.Sources == b.Sources && maps.Equal(a.Needs, b.Needs)
}

// Estimated reports whether an amount was learned or raised: nobody insists on it.
func (a *Ask) Estimated(r Resource) bool {
	return a.Sources[r] == Learned || a.Sources[r] == Raised
}

// Ask is what an attempt asks for.
func (w *Wants) Ask() Ask {
	a, own := Ask{Needs: w.Needs, Limits: Nothing}, false
	for i := range NumResources {
		r := Resource(i)
		n, source := w.amount(r)
		if a.Sources[i] = source; source == Unsourced {
			continue
		}
		if a.Limits[i] = w.limit(r, n, source); r == Time {
			a.Time = time.Duration(n)
			continue
		}
		if had, there := a.Needs[r.String()]; !there || had != n {
			if !own {
				a.Needs, own = a.Needs.Clone(), true // many shapes ask for just what was given
			}
			a.Needs[r.String()] = n
		}
	}
	return a
}

// given is what the submitter said of a resource.
func (w *Wants) given(r Resource) (n int64, ok bool) {
	if r == Time {
		return int64(w.Time), w.Time > 0
	}
	n, ok = w.Needs[r.String()]
	return n, ok
}

// amount is how much of a resource is asked for, and why.
func (w *Wants) amount(r Resource) (n int64, s Source) {
	if n, s = w.first(r); s == Given && w.Override == job.OverrideAlways {
		return n, s
	}
	if raised := w.Raised[r]; raised > 0 && raised > n {
		return w.capped(r, raised, n), Raised
	}
	return n, s
}

// first is how much is asked for by a job none of whose attempts was ended for too
// little.
func (w *Wants) first(r Resource) (int64, Source) {
	given, said := w.given(r)
	learned := w.Learned.Asked[r]
	switch {
	case learned == Unknown && said, said && w.Override == job.OverrideAlways:
		return given, Given
	case learned == Unknown:
		n, ok := w.Defaults[r.String()]
		if !ok || r == Time {
			return 0, Unsourced
		}
		return n, Default
	case learned == 0 && !said:
		return 0, Unsourced
	case said && r == Time && given < learned:
		return given, Given // it is ended then
	case said && given >= learned && (w.Override == job.OverrideHigher || !w.Learned.Below):
		return given, Given
	}
	return w.capped(r, learned, given), Learned
}

// capped bounds an amount by what machines have, but not below another.
func (w *Wants) capped(r Resource, n, least int64) int64 {
	most := w.Most[r]
	if most == 0 || n <= most {
		return n
	}
	return max(most, min(n, least), 0)
}

// limit is how much of a resource may be used. An estimate is no limit: of the runs
// that were counted some used more, and to end their like would waste what they did.
// Of memory, which a machine cannot do without, what such an attempt would be given
// after its end is the limit instead. Nobody is ended for the time others took, and
// nobody runs on for it who was given an end.
func (w *Wants) limit(r Resource, n int64, s Source) int64 {
	given, said := w.given(r)
	switch {
	case r == Time && !said || r == Disk && s == Learned:
		return Unknown
	case s == Learned && r == Time:
		return max(given, w.Raised[r])
	case s == Learned:
		return r.Raise(n)
	}
	return n
}
