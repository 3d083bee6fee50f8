// Package learn is what the runs of jobs teach about what jobs like them need.
// By kind (a label of jobs) it keeps how much memory and disk runs used and how
// long they took, in sketches of fixed size in which older runs weigh less and
// less; it says what an attempt asks for, given what its submitter said and what
// was learned; and by how much that grows after an attempt was ended for too
// little.
//
// It is pure. Package queue calls it: it counts the runs that end, and asks for
// the needs of each shape.
package learn

import (
	"time"

	"github.com/muster-queue/muster/job"
)

// Resource is one of those that are learned.
type Resource uint8

// What is learned: memory and disk in bytes, time in nanoseconds.
const (
	Memory Resource = iota
	Disk
	Time
	// NumResources is how many there are.
	NumResources int = iota
)

var names = [NumResources]string{job.Memory, job.Disk, "time"}

// String is the resource's name; those of memory and disk are as in job.Resources.
func (r Resource) String() string { return names[r] }

// Amounts are of each resource that is learned.
type Amounts [NumResources]int64

// Unknown is an amount that was not measured, or not learned.
const Unknown = -1

// Nothing are amounts of which none is known.
var Nothing = Amounts{Unknown, Unknown, Unknown}

// Kind is what was learned of the jobs of one kind. Its zero value knows nothing.
type Kind struct {
	// Runs is how many runs that completed were counted, Last when the last one
	// that was counted at all ended.
	Runs uint64
	Last job.Time
	// Own are the settings of this kind.
	Own Settings

	sketches [NumResources]sketch
	asked    Amounts // as zero is something, one more than that; 0 is Unknown
}

// Run is one run that ended.
type Run struct {
	Used  Amounts
	Ended job.Time
	// Completed: it succeeded. Of one that was ended since it used too much, Used
	// knows that resource only, and says how much it needed at least.
	Completed bool
}

// Count counts a run. It reports whether that changed what is asked for. A run that
// was ended counts for as much as others needed, if it used less: it was given less,
// and who knows how much it would have used.
func (k *Kind) Count(r *Run, base Settings) (changed bool) {
	p := k.Policy(base)
	if p.Off {
		return false
	}
	if r.Completed {
		k.Runs++
	}
	k.Last = max(k.Last, r.Ended)
	matters := false
	for i, n := range r.Used {
		if n == Unknown {
			continue
		}
		s, asked := &k.sketches[i], k.asked[i]-1
		if !r.Completed && asked != Unknown {
			n = max(n, s.quantile(p.Quantile))
		}
		s.add(n, p.HalfLife)
		matters = matters || asked == Unknown || n > asked || s.runs%lookDown == 0
	}
	return matters && k.Settle(base)
}

// lookDown is after how many runs that did not exceed what is asked for it is seen
// whether less would do; it can never be that more is needed.
const lookDown = 16

// Resettle finds out what is asked for after settings changed, whatever it was.
func (k *Kind) Resettle(base Settings) {
	k.asked = Amounts{}
	k.Settle(base)
}

// Settle finds out what is asked for after runs were counted. It reports whether
// that is another.
//
// What is asked for follows what was learned upwards at once. Downwards it does
// only when that is clearly below the next step, lest it jumps to and fro there.
func (k *Kind) Settle(base Settings) (changed bool) {
	p := k.Policy(base)
	for i := range k.asked {
		r := Resource(i)
		n := k.rounded(r, &p, 1)
		if was := k.asked[i] - 1; was != Unknown && n != Unknown && n < was {
			n = min(was, max(n, k.rounded(r, &p, reluctance)))
		}
		changed = changed || n+1 != k.asked[i]
		k.asked[i] = n + 1
	}
	return changed
}

// reluctance is how much more a quantile would have to be for it not to matter
// when what is asked for goes down.
const reluctance = 1.05

// rounded is a resource's quantile times something, rounded up.
func (k *Kind) rounded(r Resource, p *Policy, times float64) int64 {
	s := &k.sketches[r]
	if p.Off || s.runs < uint64(p.MinRuns) {
		return Unknown
	}
	return roundUp(int64(float64(s.quantile(p.Quantile))*times), p.Round[r])
}

// roundUp is the least multiple of a step that is not less than n.
func roundUp(n, step int64) int64 {
	if step <= 1 || n > job.MaxAmount-step {
		return n
	}
	return (n + step - 1) / step * step
}

// Estimate is what was learned as far as it is asked for.
type Estimate struct {
	// Asked is rounded up.
	Asked Amounts
	// Below: jobs that gave more, but do not insist, get no more than Asked.
	Below bool
}

// Estimate is what the kind's jobs ask for, as of the last Count or Settle.
func (k *Kind) Estimate(base Settings) Estimate {
	p := k.Policy(base)
	e := Estimate{Asked: Nothing, Below: p.Below}
	for i := range k.asked {
		e.Asked[i] = k.asked[i] - 1
	}
	return e
}

// Policy are the settings that count for the kind, given those of all kinds.
func (k *Kind) Policy(base Settings) Policy { return base.With(k.Own).policy() }

// Empty reports whether there is nothing to keep.
func (k *Kind) Empty() bool {
	return k.Counted() == 0 && k.Runs == 0 && k.Own == Settings{}
}

// Counted is how many runs were counted, of the resource of which most were.
func (k *Kind) Counted() uint64 {
	return max(k.sketches[Memory].runs, k.sketches[Disk].runs, k.sketches[Time].runs)
}

// Forget forgets all runs. The settings stay.
func (k *Kind) Forget() { *k = Kind{Own: k.Own} }

// Figures are what is known of one resource.
type Figures struct {
	// Runs is how many runs were counted for it.
	Runs uint64
	// Half and Most are quantiles of the runs as they weigh now: the median and the
	// one that is asked for; Max is the most that was ever counted.
	Half, Most, Max int64
	// Asked is what jobs that do not say ask for; Unknown if nothing.
	Asked int64
}

// Figures are what is known of a resource.
func (k *Kind) Figures(r Resource, base Settings) Figures {
	s, p := &k.sketches[r], k.Policy(base)
	return Figures{Runs: s.runs, Half: s.quantile(0.5), Most: s.quantile(p.Quantile), Max: s.max, Asked: k.asked[r] - 1}
}

// Duration is an amount of time.
func Duration(n int64) time.Duration { return time.Duration(max(n, 0)) }
